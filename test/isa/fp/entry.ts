// AssemblyScript: what the tests compile and call.
export * from "../../../assembly/fp/index";
export { fuzz } from "./fuzz";
