// What translated code needs of the host: modules made of bytes, and the way into them.

/** Instantiates the module in memory. Its `count` functions are those of the regions listed at `regions`, u16 each. 0, or -1 if the host refuses. */
@external("translated", "install")
export declare function installModule(address: usize, length: u32, regions: usize, count: u32): i32;

/** Lets go of the functions of `count` regions from `first` on. */
@external("translated", "forget")
export declare function forgetFunctions(first: u32, count: u32): void;

/** Calls the function of `region` at `address` with `steps` left, `depth` calls deep; the address to go on at. Machine.STEPS has the steps left then. */
@external("translated", "enter")
export declare function enterFunction(region: u32, steps: i32, depth: i32, address: u64): i64;
