// A serial port as a caller of the library would write one: Linux takes it for an NS16550A.
import { type CustomDevice, defineDevice } from "../../../src/index.ts";

interface SerialPort {
  interruptEnable: number;
  lineControl: number;
  modemControl: number;
  divisor: [low: number, high: number];
  scratch: number;
  output: number[];
  input: number[];
}

const [IER_RECEIVED, IER_EMPTY] = [1, 2];
const [IIR_NONE, IIR_EMPTY, IIR_RECEIVED] = [1, 2, 4];
const LCR_DIVISOR = 0x80;
const [MCR_LOOP, MSR_CTS_DSR_CD] = [0x10, 0xb0];
const [LSR_DATA, LSR_EMPTY] = [1, 0x60];

type Port = CustomDevice<SerialPort>;

function pending({ state }: Port): number {
  if ((state.interruptEnable & IER_RECEIVED) !== 0 && state.input.length > 0) return IIR_RECEIVED;
  return (state.interruptEnable & IER_EMPTY) !== 0 ? IIR_EMPTY : IIR_NONE;
}

/** What Linux does with an empty transmitter is asked anew at each change. */
export function update(port: Port): void {
  port.interrupt(pending(port) !== IIR_NONE);
}

const hasDivisor = ({ state }: Port) => (state.lineControl & LCR_DIVISOR) !== 0;

/** In loop-back, the outputs come back as inputs: DTR to DSR, RTS to CTS, OUT1 to RI, OUT2 to DCD. */
function loop(mcr: number): number {
  return ((mcr & 1) << 5) | ((mcr & 2) << 3) | ((mcr & 4) << 4) | ((mcr & 8) << 4);
}

export const serialPort = defineDevice<SerialPort>({
  name: "serial",
  form: "emulated",
  compatible: ["ns16550a"],
  size: 0x100,
  interrupt: true,
  properties: { "clock-frequency": 3_686_400 },
  state: () => ({
    interruptEnable: 0,
    lineControl: 0,
    modemControl: 0,
    divisor: [0, 0],
    scratch: 0,
    output: [],
    input: [],
  }),
  registers: {
    "RBR/THR": {
      offset: 0,
      size: 1,
      read(port) {
        if (hasDivisor(port)) return port.state.divisor[0];
        const byte = port.state.input.shift() ?? 0;
        update(port);
        return byte;
      },
      write(port, value) {
        if (hasDivisor(port)) port.state.divisor[0] = value;
        else port.state.output.push(value);
        update(port);
      },
    },
    IER: {
      offset: 1,
      size: 1,
      read: (port) => (hasDivisor(port) ? port.state.divisor[1] : port.state.interruptEnable),
      write(port, value) {
        if (hasDivisor(port)) port.state.divisor[1] = value;
        else port.state.interruptEnable = value & 0xf;
        update(port);
      },
    },
    "IIR/FCR": { offset: 2, size: 1, read: pending },
    LCR: {
      offset: 3,
      size: 1,
      read: ({ state }) => state.lineControl,
      write({ state }, value) {
        state.lineControl = value;
      },
    },
    MCR: {
      offset: 4,
      size: 1,
      read: ({ state }) => state.modemControl,
      write({ state }, value) {
        state.modemControl = value;
      },
    },
    LSR: { offset: 5, size: 1, read: ({ state }) => LSR_EMPTY | (state.input.length > 0 ? LSR_DATA : 0) },
    MSR: {
      offset: 6,
      size: 1,
      read: ({ state }) => ((state.modemControl & MCR_LOOP) !== 0 ? loop(state.modemControl) : MSR_CTS_DSR_CD),
    },
    SCR: {
      offset: 7,
      size: 1,
      read: ({ state }) => state.scratch,
      write({ state }, value) {
        state.scratch = value;
      },
    },
  },
});
