// Reads a flattened device tree (Devicetree Specification 0.4, chapter 5) for the few nodes that the probe drives.
// One pass over the structure block; a node is looked at when its properties are complete, that is when its first
// child begins or it ends. Left out: aliases, status, and interrupt parents other than the PLIC.
#include "machine.h"

enum Token { BEGIN_NODE = 1, END_NODE = 2, PROPERTY = 3, NOP = 4, END = 9 };
enum { MAGIC = 0xd00dfeed, MAX_DEPTH = 8, MAX_TREE = 2 << 20 };

struct Property {
  const u8 *data;
  u32 length;
};

struct Node {
  const char *name;
  u32 addressCells, sizeCells; // for its children
  bool seen;
  struct Property compatible, reg, interrupts, interruptsExtended, phandle, isa, isaExtensions, ranges, interruptMap,
      interruptMapMask;
};

struct Machine machine;

static struct Node nodes[MAX_DEPTH];
static struct Property plicContexts; // interrupts-extended of the PLIC
static u32 hartIntc;                 // phandle of this hart's interrupt controller
static u64 cpuNode;                  // hart id of the cpu node around the current one

static u32 be32(const u8 *bytes) {
  return (u32)bytes[0] << 24 | (u32)bytes[1] << 16 | (u32)bytes[2] << 8 | bytes[3];
}

static u32 cell(struct Property property, u32 index) {
  return (index + 1) * 4 <= property.length ? be32(property.data + index * 4) : 0;
}

static u64 cells(struct Property property, u32 index, u32 count) {
  u64 value = 0;
  for (u32 i = 0; i < count; i++) value = value << 32 | cell(property, index + i);
  return value;
}

static bool equal(const char *a, const char *b) {
  while (*a != 0 && *a == *b) a++, b++;
  return *a == *b;
}

static bool startsWith(const char *text, const char *prefix) {
  while (*prefix != 0) {
    if (*text++ != *prefix++) return false;
  }
  return true;
}

/// A property that is a list of strings, each ended by NUL.
static bool lists(struct Property property, const char *wanted) {
  u32 length = 0;
  while (wanted[length] != 0) length++;
  for (u32 at = 0; at + length < property.length; at++) {
    bool atStart = at == 0 || property.data[at - 1] == 0;
    if (atStart && __builtin_memcmp(property.data + at, wanted, length + 1) == 0) return true;
  }
  return false;
}

/// An extension in the one-string form, as in rv64imac_zicsr_sstc.
static bool isaContains(struct Property isa, const char *extension) {
  u32 length = 0;
  while (extension[length] != 0) length++;
  for (u32 at = 1; at + length < isa.length; at++) {
    u8 after = isa.data[at + length];
    if (isa.data[at - 1] == '_' && (after == '_' || after == 0) &&
        __builtin_memcmp(isa.data + at, extension, length) == 0)
      return true;
  }
  return false;
}

static void readPciHost(struct Node *node, const struct Node *parent) {
  machine.ecam = cells(node->reg, 0, parent->addressCells);
  machine.ecamSize = cells(node->reg, parent->addressCells, parent->sizeCells);
  // Bindings for PCI hosts: a range is phys.hi, mid, low; CPU address; size. Space code 2 is 32-bit memory.
  u32 stride = 3 + parent->addressCells + 2;
  for (u32 at = 0; (at + stride) * 4 <= node->ranges.length; at += stride) {
    if ((cell(node->ranges, at) >> 24 & 3) != 2) continue;
    machine.pciWindowBus = cells(node->ranges, at + 1, 2);
    machine.pciWindowCpu = cells(node->ranges, at + 3, parent->addressCells);
    machine.pciWindowSize = cells(node->ranges, at + 3 + parent->addressCells, 2);
  }
  // interrupt-map: child address (3), pin, PLIC phandle, source: a PLIC has no address cells and one interrupt cell.
  machine.pciMapMask = cell(node->interruptMapMask, 0);
  for (u32 at = 0; (at + 6) * 4 <= node->interruptMap.length && machine.pciMapCount < COUNT_OF(machine.pciMap); at += 6) {
    machine.pciMap[machine.pciMapCount++] = (struct InterruptMapEntry){
        cell(node->interruptMap, at), cell(node->interruptMap, at + 3), cell(node->interruptMap, at + 5)};
  }
}

static void look(struct Node *node, const struct Node *parent) {
  if (node->seen) return;
  node->seen = true;
  u64 base = cells(node->reg, 0, parent->addressCells);
  if (startsWith(node->name, "memory@")) {
    if (machine.memorySize == 0) {
      machine.memoryBase = base;
      machine.memorySize = cells(node->reg, parent->addressCells, parent->sizeCells);
    }
  } else if (startsWith(node->name, "cpu@")) {
    cpuNode = base;
    if (base == machine.hart) machine.sstcListed = isaContains(node->isa, "sstc") || lists(node->isaExtensions, "sstc");
  } else if (lists(node->compatible, "riscv,cpu-intc")) {
    if (cpuNode == machine.hart) hartIntc = cell(node->phandle, 0);
  } else if (lists(node->compatible, "riscv,plic0") || lists(node->compatible, "sifive,plic-1.0.0")) {
    machine.plic = base;
    plicContexts = node->interruptsExtended;
  } else if (lists(node->compatible, "riscv,clint0") || lists(node->compatible, "sifive,clint0")) {
    machine.clint = base;
  } else if (lists(node->compatible, "sifive,test0") || lists(node->compatible, "sifive,test1")) {
    machine.finisher = base;
  } else if (lists(node->compatible, "ns16550a")) {
    machine.uart = base;
    machine.uartSource = cell(node->interrupts, 0);
  } else if (lists(node->compatible, "virtio,mmio")) {
    if (machine.virtioCount < COUNT_OF(machine.virtio))
      machine.virtio[machine.virtioCount++] = (struct VirtioSlot){base, cell(node->interrupts, 0)};
  } else if (lists(node->compatible, "pci-host-ecam-generic")) {
    readPciHost(node, parent);
  }
}

static void keep(struct Node *node, const char *name, struct Property property) {
  if (equal(name, "#address-cells")) node->addressCells = cell(property, 0);
  else if (equal(name, "#size-cells")) node->sizeCells = cell(property, 0);
  else if (equal(name, "compatible")) node->compatible = property;
  else if (equal(name, "reg")) node->reg = property;
  else if (equal(name, "interrupts")) node->interrupts = property;
  else if (equal(name, "interrupts-extended")) node->interruptsExtended = property;
  else if (equal(name, "phandle")) node->phandle = property;
  else if (equal(name, "riscv,isa")) node->isa = property;
  else if (equal(name, "riscv,isa-extensions")) node->isaExtensions = property;
  else if (equal(name, "ranges")) node->ranges = property;
  else if (equal(name, "interrupt-map")) node->interruptMap = property;
  else if (equal(name, "interrupt-map-mask")) node->interruptMapMask = property;
  else if (equal(name, "timebase-frequency")) machine.timebase = cell(property, 0);
  else if (equal(name, "bootargs") && equal(node->name, "chosen")) {
    machine.bootargs = (const char *)property.data;
    machine.bootargsLength = property.length == 0 ? 0 : property.length - 1; // without its NUL
  }
}

/// PLIC contexts are numbered by their position in interrupts-extended: pairs of controller and interrupt.
static bool findPlicContext(void) {
  u32 wanted = machine.machineMode ? 11 : 9; // machine or supervisor external interrupt
  for (u32 i = 0; (i + 1) * 8 <= plicContexts.length; i++) {
    if (cell(plicContexts, i * 2) == hartIntc && cell(plicContexts, i * 2 + 1) == wanted) {
      machine.plicContext = i;
      return true;
    }
  }
  return false;
}

const char *fdtRead(u64 tree) {
  if (tree == 0 || tree % 4 != 0) return "a1 holds no device tree address";
  const u8 *blob = (const u8 *)tree;
  if (be32(blob) != MAGIC) return "no device tree at a1";
  u32 size = be32(blob + 4), at = be32(blob + 8), strings = be32(blob + 12);
  if (size > MAX_TREE || at >= size || strings >= size) return "device tree header out of range";
  u32 depth = 0;
  static struct Node root;
  root = (struct Node){.name = "", .addressCells = 2, .sizeCells = 1};
  while (at + 4 <= size) {
    u32 token = be32(blob + at);
    at += 4;
    struct Node *node = depth > 0 ? &nodes[depth - 1] : &root;
    struct Node *parent = depth > 1 ? &nodes[depth - 2] : &root;
    if (token == BEGIN_NODE) {
      if (depth > 0) look(node, parent);
      if (depth == MAX_DEPTH) return "device tree is nested too deep";
      nodes[depth++] = (struct Node){.name = (const char *)blob + at, .addressCells = 2, .sizeCells = 1};
      while (at < size && blob[at] != 0) at++;
      at = (at + 4) & ~3u;
    } else if (token == PROPERTY) {
      if (at + 8 > size || depth == 0) return "device tree ends inside a property";
      u32 length = be32(blob + at), name = be32(blob + at + 4);
      if (length > size - at - 8 || name >= size - strings) return "device tree property out of range";
      keep(node, (const char *)blob + strings + name, (struct Property){blob + at + 8, length});
      at += 8 + ((length + 3) & ~3u);
    } else if (token == END_NODE) {
      if (depth == 0) return "device tree ends a node too many";
      look(node, parent);
      depth--;
    } else if (token == END) {
      break;
    } else if (token != NOP) {
      return "device tree holds an unknown token";
    }
  }
  if (machine.memorySize == 0) return "device tree has no memory node";
  if (machine.timebase == 0) return "device tree has no timebase-frequency";
  if (machine.plic != 0 && !findPlicContext()) return "PLIC has no context for this hart and mode";
  return NULL;
}
