// APLIC and IMSIC against a driver: RISC-V Advanced Interrupt Architecture 1.0, chapters 3 and 4.
import { beforeEach, describe, expect, it } from "vitest";
import { Dev } from "../../assembly/abi/device.ts";
import { Map as Board } from "../../assembly/abi/memory-map.ts";
import { Line, RAM, random, same, TestBoard } from "./board.ts";

const [MACHINE, SUPERVISOR] = [0, 1];
const [EIDELIVERY, EITHRESHOLD, EIP, EIE] = [0x70, 0x72, 0x80, 0xc0];

/** An interrupt file as its hart's CSRs show it. */
class File {
  constructor(
    private readonly b: TestBoard,
    readonly hart: number,
    readonly level = SUPERVISOR,
  ) {}

  read(register: number): bigint {
    return this.b.call64("imsicRead", this.hart, this.level, register);
  }
  write(register: number, value: bigint | number): void {
    this.b.call("imsicRegisterWrite", this.hart, this.level, register, BigInt(value));
  }
  /** Delivery on, all identities enabled. */
  open(): this {
    this.write(EIDELIVERY, 1);
    for (const register of [0, 2, 4, 6]) this.write(EIE + register, -1);
    return this;
  }
  top(): number {
    return this.b.call("imsicTop", this.hart, this.level);
  }
  claim(): number {
    const top = this.top();
    this.b.call("imsicClaim", this.hart, this.level, top);
    return top;
  }
  get line(): boolean {
    return this.b.line(this.hart, this.level === MACHINE ? Line.MEIP : Line.SEIP);
  }
  get page(): number {
    return (this.level === MACHINE ? Board.IMSIC_M : Board.IMSIC_S) + this.hart * Board.IMSIC_PAGE;
  }
}

describe("IMSIC", () => {
  let b: TestBoard;
  let file: File;
  beforeEach(() => {
    b = TestBoard.create(undefined, { aia: true, firmware: true });
    file = new File(b, 0);
  });

  it("tells of a pending and enabled identity while delivery is on, each level and hart its own", () => {
    b.write(file.page, 5);
    expect([file.top(), file.line]).toEqual([0, false]);
    file.write(EIE, 1n << 5n);
    expect([file.top(), file.line]).toEqual([5, false]); // eidelivery does not matter to the top
    file.write(EIDELIVERY, 1);
    expect(file.line).toBe(true);
    const others = [new File(b, 0, MACHINE), new File(b, 1), new File(b, 1, MACHINE)];
    expect(others.map((other) => [other.open().top(), other.line])).toEqual(Array(3).fill([0, false]));
    for (const other of others) b.write(other.page, 7);
    expect(others.map((other) => [other.top(), other.line])).toEqual(Array(3).fill([7, true]));
    expect(file.claim()).toBe(5);
    expect([file.top(), file.line]).toEqual([0, false]);
  });

  it("puts lower identities first, and claims each once", () => {
    file.open();
    for (const identity of [255, 64, 63, 1, 128]) b.write(file.page, identity);
    expect(Array.from({ length: 6 }, () => file.claim())).toEqual([1, 63, 64, 128, 255, 0]);
  });

  it("signals nothing from the threshold up", () => {
    file.open().write(EITHRESHOLD, 10);
    b.write(file.page, 10);
    b.write(file.page, 200);
    expect([file.top(), file.line]).toEqual([0, false]);
    b.write(file.page, 9);
    expect([file.top(), file.line]).toEqual([9, true]);
    file.write(EITHRESHOLD, 9);
    expect([file.top(), file.line]).toEqual([0, false]);
    file.write(EITHRESHOLD, 0);
    expect([file.top(), file.line]).toEqual([9, true]);
  });

  it("shows pending and enable bits 64 at a time, of the identities that exist", () => {
    for (const register of Array.from({ length: 32 }, (_, i) => EIP + 2 * i)) {
      file.write(register, -1);
      file.write(register + 0x40, -1);
      const expected = register === EIP ? 0xffff_ffff_ffff_fffen : register < EIP + 8 ? 0xffff_ffff_ffff_ffffn : 0n;
      expect(file.read(register)).toBe(expected);
      expect(file.read(register + 0x40)).toBe(expected);
    }
    file.write(EIDELIVERY, 0x4000_0001);
    expect(file.read(EIDELIVERY)).toBe(1n);
    file.write(EITHRESHOLD, -1);
    expect(file.read(EITHRESHOLD)).toBe(255n);
    file.write(0x75, -1);
    expect(file.read(0x75)).toBe(0n);
    expect(b.valid()).toBe(true);
  });

  it("takes whole dwords of identities that exist, at seteipnum_le alone", () => {
    file.open();
    for (const identity of [0, 256, 2048, 0xffff_ffff]) b.write(file.page, identity);
    b.write(file.page + 4, 0x0500_0000); // seteipnum_be: a little-endian machine need not have it
    b.write(file.page + 8, 5);
    b.write(file.page, 5, 1);
    b.write(file.page, 5, 2);
    b.write(file.page, 5, 8);
    b.write(Board.IMSIC_S + 2 * Board.IMSIC_PAGE, 5); // of no hart
    expect(file.top()).toBe(0);
    expect(b.read(file.page)).toBe(0);
    b.write(file.page, 5);
    expect(b.read(file.page)).toBe(0);
  });

  it("hides machine level from a kernel that the hypervisor starts", () => {
    const paravirt = TestBoard.create(undefined, { aia: true });
    const machine = new File(paravirt, 0, MACHINE).open();
    paravirt.write(machine.page, 5);
    expect(machine.top()).toBe(0);
    const places = [Board.IMSIC_M, Board.APLIC_M, Board.IMSIC_S, Board.APLIC_S, Board.APLIC_S + Board.APLIC_SIZE];
    expect(places.map((place) => paravirt.mapped(place))).toEqual([false, false, true, true, false]);
    expect(places.map((place) => b.mapped(place))).toEqual([true, true, true, true, false]);
    expect(places.map((place) => TestBoard.create().mapped(place))).toEqual([false, true, false, false, false]);
  });
});

const Reg = {
  DOMAINCFG: 0,
  MMSIADDRCFG: 0x1bc0,
  MMSIADDRCFGH: 0x1bc4,
  SMSIADDRCFG: 0x1bc8,
  SMSIADDRCFGH: 0x1bcc,
  SETIP: 0x1c00,
  SETIPNUM: 0x1cdc,
  IN_CLRIP: 0x1d00,
  CLRIPNUM: 0x1ddc,
  SETIE: 0x1e00,
  SETIENUM: 0x1edc,
  CLRIE: 0x1f00,
  CLRIENUM: 0x1fdc,
  SETIPNUM_LE: 0x2000,
  GENMSI: 0x3000,
} as const;
const IE = 1 << 8;
const DELEGATE = 1 << 10;
const [DETACHED, EDGE1, EDGE0, LEVEL1, LEVEL0] = [1, 4, 5, 6, 7];
const FIXED = 0x8000_0004;

/** A domain of the APLIC, driven. */
class Aplic {
  constructor(
    private readonly b: TestBoard,
    private readonly base: number,
  ) {}
  read(register: number): number {
    return this.b.read(this.base + register);
  }
  write(register: number, value: number): void {
    this.b.write(this.base + register, value);
  }
  /** Source to (hart, identity), enabled. */
  use(source: number, mode: number, identity: number, hart = 0): void {
    this.write(4 * source, mode);
    this.write(Reg.GENMSI + 4 * source, (hart << 18) | identity);
    this.write(Reg.SETIENUM, source);
  }
  mode(source: number): number {
    return this.read(4 * source);
  }
  target(source: number): number {
    return this.read(Reg.GENMSI + 4 * source);
  }
  bit(register: number, source: number): number {
    return (this.read(register + 4 * (source >> 5)) >>> (source & 31)) & 1;
  }
  pending(source: number): number {
    return this.bit(Reg.SETIP, source);
  }
}

describe("APLIC that the hypervisor prepared", () => {
  let b: TestBoard;
  let aplic: Aplic;
  let files: File[];
  beforeEach(() => {
    b = TestBoard.create(undefined, { aia: true });
    aplic = new Aplic(b, Board.APLIC_S);
    files = [new File(b, 0).open(), new File(b, 1).open()];
    aplic.write(Reg.DOMAINCFG, IE);
  });
  const raise = (source: number, level = true) => b.call("raiseIrq", source, level);

  it("delivers by messages alone", () => {
    expect(aplic.read(Reg.DOMAINCFG)).toBe((FIXED | IE) >>> 0);
    aplic.write(Reg.DOMAINCFG, 0xffff_ffff);
    expect(aplic.read(Reg.DOMAINCFG)).toBe((FIXED | IE) >>> 0);
    aplic.write(Reg.DOMAINCFG, 0);
    expect(aplic.read(Reg.DOMAINCFG)).toBe(FIXED);
  });

  it("sends a level once, and again when the driver asks and it is still there", () => {
    aplic.use(10, LEVEL1, 33);
    raise(10);
    expect([aplic.pending(10), files[0].claim()]).toEqual([0, 33]);
    raise(10); // no change
    expect(files[0].top()).toBe(0);
    aplic.write(Reg.SETIPNUM_LE, 10);
    expect(files[0].claim()).toBe(33);
    raise(10, false);
    aplic.write(Reg.SETIPNUM_LE, 10);
    aplic.write(Reg.SETIP, 1 << 10);
    expect([aplic.pending(10), files[0].top()]).toEqual([0, 0]);
    raise(10);
    expect(files[0].claim()).toBe(33);
  });

  it("forgets a level that goes before it is enabled, and keeps an edge", () => {
    aplic.write(4 * 3, LEVEL1);
    aplic.write(4 * 4, EDGE1);
    raise(3);
    raise(4);
    expect([aplic.pending(3), aplic.pending(4)]).toEqual([1, 1]);
    raise(3, false);
    raise(4, false);
    expect([aplic.pending(3), aplic.pending(4)]).toEqual([0, 1]);
    aplic.write(Reg.GENMSI + 4 * 4, 44);
    aplic.write(Reg.SETIE, 1 << 4);
    expect([files[0].claim(), aplic.pending(4)]).toEqual([44, 0]);
  });

  it("hears rising and falling edges, high and low levels, and nothing where it is detached", () => {
    const modes = [EDGE1, EDGE0, LEVEL1, LEVEL0, DETACHED];
    modes.forEach((mode, i) => void aplic.use(20 + i, mode, 100 + i));
    const claims = () => {
      const seen: number[] = [];
      for (let identity = files[0].claim(); identity !== 0; identity = files[0].claim()) seen.push(identity);
      return seen;
    };
    expect(claims()).toEqual([103]); // low, and that is what it listens for
    modes.forEach((_, i) => void raise(20 + i));
    expect(claims()).toEqual([100, 102]);
    expect(modes.map((_, i) => aplic.bit(Reg.IN_CLRIP, 20 + i))).toEqual([1, 0, 1, 0, 0]);
    modes.forEach((_, i) => void raise(20 + i, false));
    expect(claims()).toEqual([101, 103]);
    expect(modes.map((_, i) => aplic.bit(Reg.IN_CLRIP, 20 + i))).toEqual([0, 1, 0, 1, 0]);
    aplic.write(Reg.SETIPNUM, 24);
    expect(claims()).toEqual([104]);
  });

  it("tells of a level that is there when a driver begins to listen", () => {
    raise(11);
    aplic.use(11, LEVEL1, 50);
    expect(files[0].claim()).toBe(50);
    raise(12);
    aplic.use(12, EDGE1, 51);
    expect(files[0].top()).toBe(0);
  });

  it("keeps what is pending until the domain is on, to each hart what is its", () => {
    aplic.write(Reg.DOMAINCFG, 0);
    aplic.use(1, EDGE1, 60, 1);
    aplic.use(96, EDGE1, 61, 0);
    raise(1);
    raise(96);
    expect([aplic.pending(1), aplic.pending(96), files[0].top(), files[1].top()]).toEqual([1, 1, 0, 0]);
    aplic.write(Reg.DOMAINCFG, IE);
    expect([files[0].claim(), files[1].claim(), files[0].top(), files[1].top()]).toEqual([61, 60, 0, 0]);
  });

  it("clears pending and enable bits by number and by word", () => {
    aplic.write(Reg.DOMAINCFG, 0);
    for (const source of [33, 34, 35]) {
      aplic.use(source, DETACHED, source);
      aplic.write(Reg.SETIPNUM, source);
    }
    expect([aplic.read(Reg.SETIP + 4), aplic.read(Reg.SETIE + 4)]).toEqual([0b1110, 0b1110]);
    aplic.write(Reg.CLRIPNUM, 33);
    aplic.write(Reg.IN_CLRIP + 4, 0b100);
    aplic.write(Reg.CLRIENUM, 35);
    aplic.write(Reg.CLRIE + 4, 0b10);
    expect([aplic.read(Reg.SETIP + 4), aplic.read(Reg.SETIE + 4)]).toEqual([0b1000, 0b100]);
    const readsZero = [Reg.SETIPNUM, Reg.CLRIPNUM, Reg.SETIENUM, Reg.CLRIENUM, Reg.SETIPNUM_LE, Reg.CLRIE + 4];
    expect(readsZero.map((register) => aplic.read(register))).toEqual(readsZero.map(() => 0));
  });

  it("holds nothing for a source that is not active, and forgets all when it becomes so", () => {
    aplic.write(Reg.GENMSI + 4 * 9, 5);
    aplic.write(Reg.SETIENUM, 9);
    aplic.write(Reg.SETIPNUM, 9);
    expect([aplic.target(9), aplic.pending(9), aplic.bit(Reg.SETIE, 9)]).toEqual([0, 0, 0]);
    aplic.use(9, DETACHED, 5, 1);
    aplic.write(Reg.DOMAINCFG, 0);
    aplic.write(Reg.SETIPNUM, 9);
    expect([aplic.target(9), aplic.pending(9), aplic.bit(Reg.SETIE, 9)]).toEqual([(1 << 18) | 5, 1, 1]);
    aplic.write(4 * 9, 2); // reserved
    expect([aplic.mode(9), aplic.target(9), aplic.pending(9), aplic.bit(Reg.SETIE, 9)]).toEqual([0, 0, 0, 0]);
    aplic.write(4 * 9, DELEGATE | DETACHED); // it has no children
    expect(aplic.mode(9)).toBe(0);
  });

  it("sends a message of the driver's own, whether it is on or off", () => {
    aplic.write(Reg.DOMAINCFG, 0);
    aplic.write(Reg.GENMSI, (1 << 18) | (1 << 12) | 77);
    expect([aplic.read(Reg.GENMSI), files[1].claim()]).toEqual([(1 << 18) | 77, 77]); // never busy
  });

  it("has sources 1 to 96, dwords, no addresses of its own and no other harts", () => {
    for (const source of [97, 1023]) {
      aplic.use(source, DETACHED, 5);
      aplic.write(Reg.SETIPNUM, source);
      raise(source);
      expect([aplic.mode(source), aplic.target(source), files[0].top()]).toEqual([0, 0, 0]);
    }
    for (const register of [Reg.SETIPNUM, Reg.SETIENUM, Reg.CLRIPNUM]) aplic.write(register, 0);
    raise(0);
    expect([aplic.read(Reg.SETIP), aplic.read(Reg.SETIE)]).toEqual([0, 0]);
    aplic.use(96, LEVEL1, 5);
    expect(aplic.mode(96)).toBe(LEVEL1);
    b.write(Board.APLIC_S + 8, LEVEL1, 8);
    b.write(Board.APLIC_S + 8, LEVEL1, 1);
    expect(aplic.mode(2)).toBe(0);
    aplic.write(Reg.SMSIADDRCFG, 0x8_0000);
    expect(aplic.read(Reg.SMSIADDRCFG)).toBe(0);
    aplic.use(5, DETACHED, 5, 9); // no such hart: low bits of the index are hart 1
    aplic.write(Reg.SETIPNUM, 5);
    expect([files[0].top(), files[1].claim()]).toEqual([0, 5]);
    aplic.use(5, DETACHED, 5, 2);
    aplic.write(Reg.SETIPNUM, 5);
    expect([files[0].top(), files[1].top(), b.valid()]).toEqual([0, 0, true]);
  });
});

describe("APLIC as firmware finds it", () => {
  let b: TestBoard;
  let root: Aplic;
  let child: Aplic;
  beforeEach(() => {
    b = TestBoard.create(undefined, { aia: true, firmware: true });
    root = new Aplic(b, Board.APLIC_M);
    child = new Aplic(b, Board.APLIC_S);
  });
  const raise = (source: number, level = true) => b.call("raiseIrq", source, level);

  it("gives sources to supervisor level and takes them back", () => {
    child.write(4 * 10, LEVEL1);
    expect(child.mode(10)).toBe(0);
    root.write(4 * 10, DELEGATE | 0x3ff);
    expect([root.mode(10), child.mode(10)]).toEqual([DELEGATE, 0]);
    child.use(10, LEVEL1, 5);
    raise(10);
    expect([child.mode(10), child.pending(10), root.pending(10)]).toEqual([LEVEL1, 1, 0]);
    root.write(4 * 10, LEVEL1);
    expect([child.mode(10), child.pending(10), child.target(10), root.pending(10)]).toEqual([0, 0, 0, 1]);
  });

  it("sends where the root's registers say, each level to its own files", () => {
    const [machine, supervisor] = [new File(b, 1, MACHINE).open(), new File(b, 1).open()];
    root.write(Reg.MMSIADDRCFG, Board.IMSIC_M >> 12);
    root.write(Reg.SMSIADDRCFG, Board.IMSIC_S >> 12);
    root.write(Reg.MMSIADDRCFGH, 1 << 12);
    for (const domain of [root, child]) domain.write(Reg.DOMAINCFG, IE);
    root.use(10, EDGE1, 40, 1);
    root.write(4 * 11, DELEGATE);
    child.use(11, EDGE1, 41, 1);
    raise(10);
    raise(11);
    expect([machine.claim(), machine.top(), supervisor.claim(), supervisor.top()]).toEqual([40, 0, 41, 0]);
  });

  it("computes addresses from groups and harts, and locks them", () => {
    const [base, harts] = [RAM + 0x10_0000, 2];
    root.write(Reg.MMSIADDRCFG, base >>> 12);
    root.write(Reg.SMSIADDRCFG, base >>> 12);
    root.write(Reg.SMSIADDRCFGH, 0xffff_f000 | 0); // LHXS alone of what is not the base
    expect(root.read(Reg.SMSIADDRCFGH)).toBe(7 << 20);
    root.write(Reg.SMSIADDRCFGH, 1 << 20);
    root.write(Reg.MMSIADDRCFGH, ((1 << 31) | (1 << 16) | (harts << 12)) >>> 0); // HHXS 0: groups 16 MiB apart
    root.write(Reg.MMSIADDRCFG, 0);
    root.write(Reg.SMSIADDRCFG, 0);
    root.write(Reg.MMSIADDRCFGH, 0);
    expect([Reg.MMSIADDRCFG, Reg.SMSIADDRCFG].map((register) => root.read(register))).toEqual([
      base >>> 12,
      base >>> 12,
    ]);
    root.write(Reg.GENMSI, (3 << 18) | 0x123);
    child.write(Reg.GENMSI, (3 << 18) | 0x456); // a message to RAM is a write
    expect(b.view.getUint32(b.at(base + 3 * 0x1000), true)).toBe(0x123);
    expect(b.view.getUint32(b.at(base + 6 * 0x1000), true)).toBe(0x456);
    const before = b.bytes.slice(b.at(RAM));
    root.write(Reg.GENMSI, (4 << 18) | 0x789); // group 1: past the end of RAM
    expect(same(b.bytes.slice(b.at(RAM)), before)).toBe(true);
  });
});

describe.each([
  ["the kernel's view", { aia: true }],
  ["the firmware's view", { aia: true, firmware: true }],
])("a hostile driver: %s", (_name, options) => {
  it("touches nothing but its devices and RAM, and the state stays valid", () => {
    const b = TestBoard.create(undefined, options);
    const next = random(9);
    const bases = [Board.APLIC_M, Board.APLIC_S, Board.IMSIC_M, Board.IMSIC_S];
    const outside = b.bytes.slice(0, 0x1000);
    for (let i = 0; i < 40_000; i++) {
      const group = [0, 0x1bc0, 0x1c00, 0x1cdc, 0x1d00, 0x1e00, 0x1f00, 0x2000, 0x3000][next(9)];
      const value = next(3) ? next(2048) : next(2 ** 31 - 1) * 2 + next(2);
      b.write(bases[next(4)] + group + 4 * next(130), value);
      if (next(3) === 0) b.call("raiseIrq", next(100), next(2) === 1);
      if (next(5) === 0) b.call("imsicRegisterWrite", next(2), next(2), 0x70 + 2 * next(72), BigInt(value));
      if (next(7) === 0) b.call("imsicClaim", next(2), next(2), next(256));
    }
    expect(b.valid()).toBe(true);
    expect(same(b.bytes.slice(0, 0x1000), outside)).toBe(true);
  });

  it("refuses a restored state that could not be", () => {
    const spoiled: [string, number][] = [
      ["a source that does not exist is pending", Dev.APLIC + 0x40 + 0x10],
      ["a domain is more than on", Dev.APLIC + 0x40],
      ["a reserved source mode", Dev.APLIC + 0x40 + 0x30 + 4 * 5],
      ["identity 0 is pending", Dev.IMSIC + 0x20],
      ["delivery from somewhere", Dev.IMSIC],
      ["a threshold past the end", Dev.IMSIC + 5],
    ];
    for (const [what, at] of spoiled) {
      const b = TestBoard.create(undefined, options);
      expect(b.valid()).toBe(true);
      b.bytes[at] = 0x03;
      expect(b.valid(), what).toBe(false);
    }
  });
});
