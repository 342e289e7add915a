// What translated code needs of the host: modules made of bytes, and the way into them.

/** Instantiates the module in memory; its functions enter the table from `first` on. 0, or -1 if the host refuses. */
@external("translated", "install")
export declare function installModule(address: usize, length: u32, first: u32): i32;

/** Takes `count` functions from `first` on out of the table. */
@external("translated", "forget")
export declare function forgetFunctions(first: u32, count: u32): void;

/** Calls function `index` of the table with `steps` left, `depth` calls deep; the address to go on at. Machine.STEPS has the steps left then. */
@external("translated", "enter")
export declare function enterFunction(index: u32, steps: i32, depth: i32): i64;
