// The second module: what people read. Disassembly, names of exceptions, symbols and
// device registers, as text. It has a memory of its own and strings cross by as-bind;
// nothing here is hot.
export { disassemble, floatName, integerName } from "./disassemble";
export { exceptionName, interruptName } from "./trap-names";
export { setSymbols, symbolize } from "./symbols";
export { registerName, deviceName } from "./registers";
