// Features (NVMe 1.4, 5.12 and 5.21). None can be saved, and all but the write cache
// describe moderation or limits that a drive without moving parts meets by itself: they
// are kept and read back. Interrupt coalescing is among these: how long an interrupt waits is
// not the driver's to say (moderation.ts), but that it must not, for one vector, is heeded.
import { Limit, Nvme, Status, commandAt, cqAt, sqAt } from "./nvme-state";
import { WARNING_TEMPERATURE } from "./nvme-identify";

const enum Feature {
  ARBITRATION = 0x01,
  POWER_MANAGEMENT = 0x02,
  TEMPERATURE_THRESHOLD = 0x04,
  ERROR_RECOVERY = 0x05,
  VOLATILE_WRITE_CACHE = 0x06,
  NUMBER_OF_QUEUES = 0x07,
  INTERRUPT_COALESCING = 0x08,
  INTERRUPT_VECTOR_CONFIGURATION = 0x09,
  WRITE_ATOMICITY_NORMAL = 0x0a,
  ASYNC_EVENT_CONFIGURATION = 0x0b,
  KEEP_ALIVE_TIMER = 0x0f,
}

/** CDW10 bit 31: save across resets. */
const SAVE: u32 = 1 << 31;
const COALESCING_DISABLE: u32 = 1 << 16;
const IO_QUEUES: u32 = Limit.QUEUES - 1;
const QUEUES_GRANTED: u32 = (IO_QUEUES - 1) | ((IO_QUEUES - 1) << 16);

export function resetFeatures(s: Nvme): void {
  s.arbitration = 0;
  s.powerManagement = 0;
  s.temperatureOver = WARNING_TEMPERATURE;
  s.temperatureUnder = 0;
  s.errorRecovery = 0;
  s.writeCache = 1;
  s.interruptCoalescing = 0;
  s.vectorConfig = 0;
  s.writeAtomicity = 0;
  s.asyncConfig = 0;
  s.keepAlive = 0;
}

export function getFeatures(s: Nvme): Status {
  const c = commandAt(s);
  switch (c.cdw10 & 0xff) {
    case Feature.ARBITRATION:
      s.result = s.arbitration;
      break;
    case Feature.POWER_MANAGEMENT:
      s.result = s.powerManagement;
      break;
    case Feature.TEMPERATURE_THRESHOLD:
      // THSEL, CDW11 21:20: over or under.
      s.result = (c.cdw11 & (1 << 20)) != 0 ? s.temperatureUnder : s.temperatureOver;
      break;
    case Feature.ERROR_RECOVERY:
      s.result = s.errorRecovery;
      break;
    case Feature.VOLATILE_WRITE_CACHE:
      s.result = s.writeCache;
      break;
    case Feature.NUMBER_OF_QUEUES:
      s.result = QUEUES_GRANTED;
      break;
    case Feature.INTERRUPT_COALESCING:
      s.result = s.interruptCoalescing;
      break;
    case Feature.INTERRUPT_VECTOR_CONFIGURATION: {
      const vector = c.cdw11 & 0xffff;
      if (vector >= <u32>Limit.VECTORS) return Status.INVALID_FIELD;
      s.result = vector | (((s.vectorConfig >> vector) & 1) != 0 ? COALESCING_DISABLE : 0);
      break;
    }
    case Feature.WRITE_ATOMICITY_NORMAL:
      s.result = s.writeAtomicity;
      break;
    case Feature.ASYNC_EVENT_CONFIGURATION:
      s.result = s.asyncConfig;
      break;
    case Feature.KEEP_ALIVE_TIMER:
      s.result = s.keepAlive;
      break;
    default:
      return Status.INVALID_FIELD;
  }
  return Status.SUCCESS;
}

export function setFeatures(s: Nvme): Status {
  const c = commandAt(s);
  if ((c.cdw10 & SAVE) != 0) return Status.FEATURE_NOT_SAVEABLE;
  const value = c.cdw11;
  switch (c.cdw10 & 0xff) {
    case Feature.ARBITRATION:
      s.arbitration = value;
      break;
    case Feature.POWER_MANAGEMENT:
      // Power state 0 is the only one; workload hints stay.
      if ((value & 0x1f) != 0) return Status.INVALID_FIELD;
      s.powerManagement = value;
      break;
    case Feature.TEMPERATURE_THRESHOLD:
      if ((value & (1 << 20)) != 0) s.temperatureUnder = value & 0xffff;
      else s.temperatureOver = value & 0xffff;
      break;
    case Feature.ERROR_RECOVERY:
      s.errorRecovery = value;
      break;
    case Feature.VOLATILE_WRITE_CACHE:
      s.writeCache = value & 1;
      break;
    case Feature.NUMBER_OF_QUEUES:
      if ((value & 0xffff) == 0xffff || value >> 16 == 0xffff) return Status.INVALID_FIELD;
      if (ioQueuesExist(s)) return Status.COMMAND_SEQUENCE_ERROR;
      s.result = QUEUES_GRANTED;
      break;
    case Feature.INTERRUPT_COALESCING:
      s.interruptCoalescing = value & 0xffff;
      break;
    case Feature.INTERRUPT_VECTOR_CONFIGURATION: {
      const vector = value & 0xffff;
      if (vector >= <u32>Limit.VECTORS) return Status.INVALID_FIELD;
      if ((value & COALESCING_DISABLE) != 0) s.vectorConfig |= 1 << vector;
      else s.vectorConfig &= ~(1 << vector);
      break;
    }
    case Feature.WRITE_ATOMICITY_NORMAL:
      s.writeAtomicity = value & 1;
      break;
    case Feature.ASYNC_EVENT_CONFIGURATION:
      s.asyncConfig = value;
      break;
    case Feature.KEEP_ALIVE_TIMER:
      // Kept, not enforced: Identify's KAS of 0 says that no timer runs.
      s.keepAlive = value;
      break;
    default:
      return Status.INVALID_FIELD;
  }
  return Status.SUCCESS;
}

function ioQueuesExist(s: Nvme): bool {
  for (let id: u32 = 1; id < <u32>Limit.QUEUES; id++) {
    if (sqAt(s, id).size != 0 || cqAt(s, id).size != 0) return true;
  }
  return false;
}
