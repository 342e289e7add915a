// The code of a fuzz program: a main loop that calls one function after the other until the fuel is used up, then the
// functions. All of it is relative to the pc, so that it runs in either window.
import type { Assembler } from "../generator/assembler.ts";
import { assemble } from "../generator/blocks.ts";
import { RAM } from "./map.ts";
import { type End, FUEL, type Routine, Service, type Spec, STACK, SUM, TURN } from "./spec.ts";

/** Distances between two labels that are words of tables. */
interface Distance {
  at: number;
  from: number;
  to: string;
}

class Code {
  readonly markers: number[] = [];
  readonly distances: Distance[] = [];
  readonly rewrites: { at: number; marker: number }[] = [];
  /** Number of the function being written. */
  own = 0;
  pieces = 0;
  readonly asm: Assembler;
  readonly spec: Spec;

  constructor(asm: Assembler, spec: Spec) {
    this.asm = asm;
    this.spec = spec;
  }

  piece(n: number): string {
    return `f${this.own}p${Math.min(n, this.pieces)}`;
  }

  callee(n: number): string {
    return `f${n % this.spec.functions.length}`;
  }

  /** x(via) = the address of entry x(index) of a table of labels, whose words follow behind `rest`. */
  select(via: number, index: number, to: string[], rest: () => void): void {
    const { asm } = this;
    const spare = via === 7 ? 6 : 7;
    const from = asm.pc;
    asm.op("auipc", { rd: via, imm: 0 });
    asm.i("andi", spare, index, to.length - 1);
    asm.i("slli", spare, spare, 2);
    asm.r("add", spare, spare, via);
    const load = asm.pc;
    asm.pc += 4;
    asm.r("add", via, via, spare);
    rest();
    const table = asm.pc;
    for (const label of to) {
      this.distances.push({ at: asm.pc, from, to: label });
      asm.word(0);
    }
    asm.pc = load;
    asm.load("lw", spare, table - from, spare);
    asm.pc = table + 4 * to.length;
  }

  /** Uses fuel; ends the program if there is none. */
  burn(): void {
    const { asm } = this;
    asm.i("addi", FUEL, FUEL, -1);
    asm.op("bge", { rs1: FUEL, rs2: 0, imm: 8 });
    asm.to("jal", "quit", { rd: 0 });
  }

  marker(): void {
    this.markers.push(this.asm.pc);
    this.asm.i("addi", SUM, SUM, 1 + (this.markers.length % 7));
  }

  end(end: End): void {
    const { asm } = this;
    switch (end.kind) {
      case "fall":
        return;
      case "branch":
        asm.to(end.name, this.piece(end.to), { rs1: end.rs1, rs2: end.rs2 });
        return;
      case "loop":
        this.burn();
        asm.i("andi", 6, FUEL, end.mask);
        asm.to("bne", this.piece(end.to), { rs1: 6, rs2: 0 });
        return;
      case "jump":
        asm.to("jal", this.piece(end.to), { rd: 0 });
        return;
      case "table": {
        this.burn();
        const to = end.to.map((n) => this.piece(n));
        this.select(end.via, end.index, to, () => asm.i("jalr", 0, end.via, 0));
        return;
      }
      case "call":
        this.burn();
        if (!end.indirect) asm.to("jal", this.callee(end.to), { rd: end.link });
        else {
          const over = asm.pc;
          asm.pc += 4;
          const to = [end.to, end.to + 1].map((n) => this.callee(n));
          const table = asm.pc;
          for (const label of to) this.#word(table, label);
          const after = asm.pc;
          asm.pc = over;
          asm.op("jal", { rd: 0, imm: after - over });
          asm.pc = after;
          asm.op("auipc", { rd: 7, imm: 0 });
          asm.i("andi", 6, FUEL, 1);
          asm.i("slli", 6, 6, 2);
          asm.r("add", 6, 6, 7);
          asm.load("lw", 6, table - after, 6);
          asm.r("add", 7, 7, 6);
          asm.i("jalr", end.link, 7, table - after);
        }
        return;
      case "callPiece":
        this.burn();
        asm.to("jal", this.piece(end.to), { rd: end.link });
        return;
      case "return":
        this.#return();
        return;
      case "returnTo": {
        this.burn();
        this.select(end.via, 0, [this.piece(end.to)], () => asm.i("jalr", 0, end.via, 0));
        return;
      }
      case "hop":
        this.burn();
        asm.li(6, BigInt.asIntN(64, this.spec.window ^ BigInt(RAM)));
        asm.op("auipc", { rd: 7, imm: 0 });
        asm.r("xor", 7, 7, 6);
        asm.i("jalr", 0, 7, 12);
        return;
      case "marker":
        this.marker();
        return;
      case "rewrite":
        this.rewrites.push({ at: asm.pc, marker: end.marker });
        asm.op("auipc", { rd: 7, imm: 0 });
        asm.pc += 12;
        asm.i("xori", 6, 6, 0x40);
        asm.pc += 4;
        // Without the fence QEMU may run on with what it has of the marker.
        if (end.fence || this.spec.portable) asm.op("fence.i");
        return;
      case "service":
        this.service(end.service, end.argument);
        return;
      case "base":
        asm.li(end.base, end.address);
        return;
      case "csr":
        asm.op(end.name, { rd: end.rd, rs1: end.rs1, imm: end.csr });
        return;
      case "fence":
        asm.op(end.name, end.name === "fence.i" ? {} : { rs1: end.address === 0 ? 0 : 2, rs2: 0 });
        return;
    }
  }

  #word(from: number, to: string): void {
    this.distances.push({ at: this.asm.pc, from, to });
    this.asm.word(0);
  }

  service(service: Service, argument: number): void {
    const { asm } = this;
    if (service === Service.EDIT || service === Service.CONTEXT) this.burn();
    asm.i("addi", 17, 0, service);
    asm.i("addi", 16, 0, argument);
    asm.op("ecall");
  }

  #return(): void {
    const { asm } = this;
    asm.load("ld", 1, 0, STACK);
    asm.i("addi", STACK, STACK, 16);
    asm.i("jalr", 0, 1, 0);
  }

  function(n: number, { pieces, beforePageEnd }: Routine): void {
    const { asm } = this;
    this.own = n;
    this.pieces = pieces.length;
    if (beforePageEnd !== undefined) {
      const start = Math.ceil(asm.pc / 4096) * 4096 - beforePageEnd;
      asm.pc = start >= asm.pc ? start : start + 4096;
    }
    asm.label(`f${n}`);
    asm.i("addi", STACK, STACK, -16);
    asm.store("sd", 1, 0, STACK);
    const start = asm.pc;
    for (const [k, { items, end }] of pieces.entries()) {
      asm.label(`f${n}p${k}`);
      // Branches reach 4 KiB: what is further is left out.
      if (asm.pc - start > 3000) continue;
      for (const { word, length } of assemble(items)) {
        if (length === 2) asm.half(word);
        else asm.word(word);
      }
      this.end(end);
    }
    asm.label(`f${n}p${pieces.length}`);
    this.#return();
  }

  main(): void {
    const { asm } = this;
    const functions = this.spec.functions.length;
    asm.label("main");
    this.burn();
    this.marker(); // so that there is one
    asm.i("addi", TURN, TURN, 1);
    if (this.spec.switching) {
      asm.i("srli", 16, TURN, 2);
      asm.i("addi", 17, 0, Service.CONTEXT);
      asm.op("ecall");
    }
    asm.i("addi", 6, 0, functions);
    asm.r("remu", 6, TURN, 6);
    const after = asm.pc;
    asm.op("auipc", { rd: 7, imm: 0 });
    asm.i("slli", 6, 6, 2);
    asm.r("add", 6, 6, 7);
    asm.load("lw", 6, 32, 6);
    asm.r("add", 7, 7, 6);
    asm.i("jalr", 1, 7, 32);
    asm.to("jal", "main", { rd: 0 });
    asm.pc = after + 32;
    const table = asm.pc;
    for (let n = 0; n < functions; n++) this.#word(table, `f${n}`);
    asm.label("quit");
    this.service(Service.EXIT, 0);
    asm.to("jal", "quit", { rd: 0 });
  }

  finish(): void {
    const { asm } = this;
    const at = (label: string) => asm.labels.get(label)!;
    for (const { at: place, from, to } of this.distances) asm.view.setInt32(place - asm.base, at(to) - from, true);
    const end = asm.pc;
    for (const { at: place, marker } of this.rewrites) {
      const target = this.markers[marker % this.markers.length];
      const distance = target + 2 - place; // its upper half
      const low = (distance << 20) >> 20;
      asm.pc = place + 4;
      asm.op("lui", { rd: 6, imm: distance - low });
      // x7 = place + distance
      asm.pc = place + 8;
      asm.r("add", 7, 7, 6);
      asm.pc = place + 12;
      asm.load("lhu", 6, low, 7);
      asm.pc = place + 20;
      asm.store("sh", 6, low, 7);
    }
    asm.pc = end;
  }
}

/** Writes all code at the assembler's place; the addresses of its markers. */
export function writeFunctions(asm: Assembler, spec: Spec): number[] {
  const code = new Code(asm, spec);
  code.main();
  for (const [n, f] of spec.functions.entries()) code.function(n, f);
  code.finish();
  return code.markers;
}
