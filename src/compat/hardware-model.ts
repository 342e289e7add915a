// A hardware model: what a host offers its guests, in the terms that drivers care about. Probed
// (probe-hardware.ts), or read from a file for a machine elsewhere.
import * as v from "valibot";
import { OptionError } from "../errors.ts";
import { CATALOGUE, type CatalogueRow, type Form } from "../machine/catalogue.ts";
import { choice, mistakeOf, object, pathText, shown } from "../validate.ts";
import { closure, parseIsa } from "./elf-isa.ts";

/** One form of a function that is on offer. */
export interface HardwareDevice {
  /** As the catalogue has it (`paravane devices`): "block", "network", ... */
  function: string;
  form: Form;
  /** The catalogue's name of the row: "virtio-blk", "sbi-timer", ... */
  device: string;
  /** Feature bits that it offers, by the specification's names, such as VIRTIO_F_VERSION_1. */
  features: string[];
}

/** What the host itself has, beside the machine. */
export interface HostAbilities {
  /** Files and folders. */
  files: boolean;
  /** TCP and UDP. */
  sockets: boolean;
  unixSockets: boolean;
  /** Network interfaces of the host's that a program can be the other end of. */
  tap: boolean;
  wasmTailCalls: boolean;
  wasmThreads: boolean;
}

export interface HardwareModel {
  /** Version of this form. */
  schema: 1;
  /** ISA string, with sv39, sv48 and sv57 for the widths of virtual addresses: "rv64imafdc_zba_sstc_sv39". */
  isa: string;
  /** Bytes of the pages that the MMU has, ascending; the first is what programs are mapped by. */
  pageSizes: number[];
  devices: HardwareDevice[];
  host?: HostAbilities;
}

const MOST_TEXT = 64;
const MOST_FILE = 1024 * 1024;
const ROWS: readonly CatalogueRow[] = CATALOGUE;

const NAME = `write a name of at most ${MOST_TEXT} characters`;
const name = v.pipe(v.string(NAME), v.nonEmpty(NAME), v.maxLength(MOST_TEXT, NAME));
const flag = v.boolean("write true or false");
const ISA = "write an ISA string, such as rv64imafdc_zba_sv39";
const PAGE_SIZE = "write a power of two from 4096 on";

/** A list with at most so many items. */
const listOf = <Item extends v.GenericSchema>(item: Item, most: number, what: string) => {
  const message = `write a list of at most ${most} ${what}`;
  return v.pipe(v.array(item, message), v.maxLength(most, message));
};

const isPage = (bytes: number): boolean =>
  Number.isSafeInteger(bytes) && bytes >= 4096 && Number.isInteger(Math.log2(bytes));

const DeviceSchema = object({
  function: name,
  form: choice("emulated", "paravirt", "direct"),
  device: v.pipe(
    name,
    v.check((id) => ROWS.some((row) => row.id === id), "write a device that `paravane devices` lists"),
  ),
  features: v.optional(listOf(name, 256, "names"), []),
});

const HostSchema = object({
  files: flag,
  sockets: flag,
  unixSockets: flag,
  tap: flag,
  wasmTailCalls: flag,
  wasmThreads: flag,
});

const ModelSchema = object({
  schema: v.literal(1, "write 1"),
  isa: v.pipe(v.string(ISA), v.maxLength(4096, ISA), v.regex(/^rv64i?[a-z]+(_[a-z][a-z0-9]*)*$/, ISA)),
  pageSizes: v.pipe(
    listOf(v.pipe(v.number(PAGE_SIZE), v.check(isPage, PAGE_SIZE)), 16, "numbers"),
    v.minLength(1, "write at least one size"),
  ),
  devices: listOf(DeviceSchema, 256, "devices"),
  host: v.optional(HostSchema),
});

/**
 * Checks what is to be a hardware model; `what` names it in messages.
 * @throws OptionError that names the place, what stands there, and what could.
 */
export function checkHardwareModel(value: unknown, what = "hardware model"): HardwareModel {
  const result = v.safeParse(ModelSchema, value, { abortEarly: true });
  if (!result.success) {
    const { keys, value: found, isUnknown, message } = mistakeOf(result.issues[0]);
    const where = keys.length === 0 ? "it" : pathText(keys);
    if (isUnknown) throw new OptionError(`${what}: ${where} is not known: ${message}`);
    throw new OptionError(`${what}: ${where} is ${shown(found)}: ${found === undefined ? "add it" : message}`);
  }
  const model = result.output;
  for (const [i, { device, function: name, form }] of model.devices.entries()) {
    const row = ROWS.find(({ id }) => id === device) as CatalogueRow;
    if (row.function !== name || row.form !== form) {
      throw new OptionError(
        `${what}: devices[${i}] is ${device} as ${name}, ${form}: it is ${row.function}, ${row.form}: write that`,
      );
    }
  }
  return { ...model, pageSizes: [...model.pageSizes].sort((a, b) => a - b) };
}

/** The hardware model in the JSON text `text`. @throws OptionError as checkHardwareModel. */
export function parseHardwareModel(text: string, what = "hardware model"): HardwareModel {
  if (text.length > MOST_FILE)
    throw new OptionError(`${what} is larger than ${MOST_FILE} bytes: this is no hardware model`);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new OptionError(
      `${what} is no JSON (${(cause as Error).message}): write what \`paravane hardware --json\` prints`,
      {
        cause,
      },
    );
  }
  return checkHardwareModel(value, what);
}

/** The device of that row, if it is on offer. */
export function offeredDevice(model: HardwareModel, id: string): HardwareDevice | undefined {
  return model.devices.find(({ device }) => device === id);
}

/** What both offer: a guest that is given the hardware of `model` on a host with `own`. */
export function commonHardware(model: HardwareModel, own: HardwareModel): HardwareModel {
  const ours = closure(parseIsa(own.isa));
  const extensions = parseIsa(model.isa).filter((extension) => ours.has(extension));
  const letters = extensions.filter((extension) => extension.length === 1).join("");
  const words = extensions.filter((extension) => extension.length > 1);
  const devices = model.devices.flatMap((device) => {
    const same = offeredDevice(own, device.device);
    if (same === undefined) return [];
    return [{ ...device, features: device.features.filter((feature) => same.features.includes(feature)) }];
  });
  const pageSizes = model.pageSizes.filter((bytes) => own.pageSizes.includes(bytes));
  // A machine with other pages alone is one that nothing of ours can be; its own sizes then say why.
  return {
    ...model,
    isa: [`rv64${letters}`, ...words].join("_"),
    devices,
    pageSizes: pageSizes.length > 0 ? pageSizes : model.pageSizes,
  };
}
