// Which forms of which functions will work for a guest on some hardware, and for each that will
// not the one thing that is missing.
import type { Policy } from "../hypercall/policy.ts";
import { CATALOGUE, type CatalogueRow, type Form } from "../machine/catalogue.ts";
import { CALLS_DEVICE, lackingCalls } from "./calls-verdict.ts";
import type { DriverSet } from "./driver-set.ts";
import { closure, parseIsa } from "./elf-isa.ts";
import { parseHardwareId } from "./hardware-id.ts";
import { type HardwareModel, offeredDevice } from "./hardware-model.ts";
import { type DriverNeed, needsOf } from "./needs.ts";

export interface Verdict {
  function: string;
  form: Form;
  /**
   * The catalogue's name of the row; "isa" and "pages" for what the processor must have, "/dev/paravane" for the calls to the
   * hypervisor by which programs of Linux reach it.
   */
  device: string;
  works: boolean;
  /** What would make it work, in words; null if it does. */
  missing: string | null;
  /** The best form of its function that works. */
  chosen: boolean;
  /** How a virtio device would be reached. */
  transport?: "pci" | "mmio";
}

/** The order of preference for each form that is preferred. */
export const FALLBACKS: Record<Form, readonly Form[]> = {
  direct: ["direct", "paravirt", "emulated"],
  paravirt: ["paravirt", "direct", "emulated"],
  emulated: ["emulated", "paravirt", "direct"],
};

/** Rows that do not replace the others of their function: memory that is a disk, a network of guests alone, a console that only prints. */
const NO_REPLACEMENT = ["virtio-pmem", "net-switch"];

/** Taken where the others of their form do not work. */
const LAST_OF_FORM = ["nvme-dbbuf", "ahci", "sbi-console"];

const ROWS: readonly CatalogueRow[] = CATALOGUE;

/** Why a driver is not there, or undefined if it is. */
function lackingDriver(need: DriverNeed, drivers: DriverSet): string | undefined {
  const { ids, module, config, onlyLinux } = need;
  if (drivers.kind === "program") {
    if (onlyLinux || ids.length === 0 || ids.some((id) => drivers.inCode.has(id))) return undefined;
    if (drivers.isTreeAlone) return `a node for ${ids[0]}, of which the device tree has none`;
    return `code for ${ids[0]}, of which the program shows none`;
  }
  const hardware = ids.map(parseHardwareId);
  let absent: { module: string; needs: string } | undefined;
  for (const modules of drivers.modules) {
    if (hardware.some((id) => modules.builtinFor(id).length > 0)) return undefined;
    const fitting = ids.length === 0 ? [module] : hardware.flatMap((id) => modules.modulesFor(id));
    for (const name of fitting) {
      const loading = modules.loading(name);
      if (typeof loading === "string") return undefined;
      if (loading.absent !== name) absent ??= { module: name, needs: loading.absent };
    }
  }
  const setting = drivers.config?.get(config);
  const isListed =
    drivers.builtin?.has(module) || drivers.modules.some(({ builtin }) => builtin?.has(module)) || setting === "y";
  // SBI calls and extensions have no table and no module: the code says all.
  const isCode = hardware.some(({ bus }) => bus === "sbi" || bus === "isa");
  const isMatched = ids.some((id) => drivers.inCode.has(id));
  if (ids.length === 0 ? isListed : isMatched && (isCode || isListed || !isTold(drivers, hardware))) return undefined;

  if (absent !== undefined) return `module ${absent.needs}, which ${absent.module} needs`;
  return lackingName(drivers, need);
}

/**
 * Ids of PCI and virtio stand in tables of quirks too, or are numbers like others: where a list of what is built in
 * exists, the driver must be on it.
 */
function isTold(drivers: DriverSet, hardware: readonly { bus: string }[]): boolean {
  const hasList = drivers.builtin !== undefined || drivers.modules.some(({ builtin }) => builtin !== undefined);
  return hasList && hardware.some(({ bus }) => bus !== "of");
}

/** How to call a driver that is not there: by its module, if the kernel was built with one, else by its option. */
function lackingName(drivers: DriverSet, { ids, module, config, onlyBuiltin = false }: DriverNeed): string {
  if (onlyBuiltin && config !== "") return `CONFIG_${config} in the kernel`;
  const place = drivers.modules[0]?.source;
  const isPackaged =
    drivers.config?.get(config) === "m" || drivers.modules.some(({ packaged }) => packaged?.has(module));
  if (isPackaged) return `module ${module}, absent from ${place ?? "the initramfs"}`;
  if (drivers.otherRelease !== undefined && module !== "") {
    return `modules of kernel ${drivers.release}: there are those of ${drivers.otherRelease} alone`;
  }
  const knowsAll = drivers.config !== undefined || drivers.modules.some(({ packaged }) => packaged !== undefined);
  if (config !== "" && (knowsAll || module === "")) return `CONFIG_${config} in the kernel`;
  if (module !== "") return `module ${module}, neither built in nor ${place ? `in ${place}` : "in an initramfs"}`;
  return `a driver for ${ids[0] ?? module}`;
}

/** What the hardware lacks for a row, or undefined. */
function lackingHardware(row: CatalogueRow, features: readonly string[], hardware: HardwareModel): string | undefined {
  const device = offeredDevice(hardware, row.id);
  if (device === undefined) return `device ${row.id}, which the hardware does not offer`;
  const feature = features.find((name) => !device.features.includes(name));
  return feature && `feature bit ${feature} of ${row.id}`;
}

function judgeRow(row: CatalogueRow, drivers: DriverSet, hardware: HardwareModel, isa: ReadonlySet<string>): Verdict {
  const { function: name, form, id: device } = row;
  const verdict = (missing: string | null): Verdict => ({
    ...{ function: name, form, device, works: missing === null, missing, chosen: false },
  });
  const { ways, features, isa: extensions } = needsOf(row);
  const extension = extensions.find((it) => !isa.has(it));
  const lackingHere = lackingHardware(row, features, hardware) ?? (extension && `extension ${extension} of the ISA`);
  if (lackingHere !== undefined) return verdict(lackingHere);
  let missing: string | undefined;
  for (const { transport, needs } of ways) {
    const lacking = needs.map((need) => lackingDriver(need, drivers)).find((it) => it !== undefined);
    if (lacking === undefined) return { ...verdict(null), ...(transport && { transport }) };
    missing ??= lacking;
  }
  return verdict(missing ?? null);
}

/** Whether the processor is one that kernel and userland were built for. */
function judgeProcessor(drivers: DriverSet, hardware: HardwareModel, isa: ReadonlySet<string>): Verdict[] {
  const users = [
    { path: "the kernel", extensions: drivers.kernelNeeds, align: 0 },
    ...drivers.programs.map(({ path, extensions, align }) => ({ path, extensions, align })),
  ];
  let extension: string | null = null;
  for (const { path, extensions } of users) {
    const lacking = extensions.find((name) => !isa.has(name));
    if (lacking !== undefined) extension ??= `extension ${lacking}, which ${path} was built for`;
  }
  const [page] = hardware.pageSizes;
  const strict = users.find(({ align }) => align !== 0 && align < page);
  const kernelPage = pageOf(drivers);
  const wrongKernel = kernelPage !== undefined && !hardware.pageSizes.includes(kernelPage);
  const pages = wrongKernel
    ? `pages of ${kernelPage} bytes, which the kernel was built for`
    : strict && `pages of ${strict.align} bytes or less, which ${strict.path} was linked for`;
  const verdict = (device: string, missing: string | null): Verdict => ({
    ...{ function: "processor", form: "direct", device, works: missing === null, missing, chosen: false },
  });
  return [verdict("isa", extension), verdict("pages", pages ?? null)];
}

/** The page size of Linux, which has had but one on RISC-V unless its configuration says otherwise. */
function pageOf(drivers: DriverSet): number | undefined {
  if (drivers.kind !== "linux") return undefined;
  const shift = Number(drivers.config?.get("PAGE_SHIFT") ?? 12);
  return shift >= 12 && shift <= 16 ? 2 ** shift : undefined;
}

/** Marks the best form of each function: of what works, the first in the order that `prefer` asks for. */
function choose(verdicts: Verdict[], prefer: Form): void {
  const functions = new Set(verdicts.map((it) => it.function));
  for (const name of functions) {
    const working = verdicts.filter(
      (it) => it.function === name && it.works && !NO_REPLACEMENT.includes(it.device) && it.function !== "processor",
    );
    for (const form of FALLBACKS[prefer]) {
      const ofForm = working.filter((it) => it.form === form);
      const best = ofForm.find((it) => !LAST_OF_FORM.includes(it.device)) ?? ofForm[0];
      if (best === undefined) continue;
      best.chosen = true;
      break;
    }
  }
}

/** What a verdict hangs on beside guest and hardware. */
export interface JudgeOptions {
  /** Where the best form of each function begins. Default: direct. */
  prefer?: Form;
  /** The boot goes through firmware in M-mode, which takes all calls. */
  firmware?: boolean;
  policy?: Policy;
}

/**
 * The verdict on every form of every function, on the processor, and on the hypervisor's own calls, for a guest that drives what
 * `drivers` says on what `hardware` offers. The best form of each function has `chosen`.
 * @throws OptionError for a policy that cannot be.
 */
export function judge(drivers: DriverSet, hardware: HardwareModel, options: JudgeOptions = {}): Verdict[] {
  const { prefer = "direct", firmware = false, policy } = options;
  const isa = closure(parseIsa(hardware.isa));
  const missing = lackingCalls(drivers, hardware, firmware || prefer === "emulated", policy);
  const verdicts: Verdict[] = [
    ...judgeProcessor(drivers, hardware, isa),
    ...ROWS.map((row) => judgeRow(row, drivers, hardware, isa)),
    {
      ...{ function: "hypercalls", form: "paravirt", device: CALLS_DEVICE, works: missing === null, missing },
      chosen: false,
    },
  ];
  choose(verdicts, prefer);
  return verdicts;
}
