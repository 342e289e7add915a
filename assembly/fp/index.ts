// Everything the interpreter and the translator call.
export { Flag, Rm, raise } from "./flags";
export * from "./single";
export * from "./double";
