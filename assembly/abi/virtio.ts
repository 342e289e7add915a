// Numbers of virtio 1.2 that drivers, tests and the host see: registers of the two
// transports, feature and status bits, identifiers. Modern only: no legacy register here.

/** Registers of the mmio transport, version 2 (4.2.2). */
export const enum VirtioMmio {
  MAGIC_VALUE = 0x000,
  VERSION = 0x004,
  DEVICE_ID = 0x008,
  VENDOR_ID = 0x00c,
  DEVICE_FEATURES = 0x010,
  DEVICE_FEATURES_SEL = 0x014,
  DRIVER_FEATURES = 0x020,
  DRIVER_FEATURES_SEL = 0x024,
  QUEUE_SEL = 0x030,
  QUEUE_NUM_MAX = 0x034,
  QUEUE_NUM = 0x038,
  QUEUE_READY = 0x044,
  QUEUE_NOTIFY = 0x050,
  INTERRUPT_STATUS = 0x060,
  INTERRUPT_ACK = 0x064,
  STATUS = 0x070,
  QUEUE_DESC_LOW = 0x080,
  QUEUE_DESC_HIGH = 0x084,
  QUEUE_DRIVER_LOW = 0x090,
  QUEUE_DRIVER_HIGH = 0x094,
  QUEUE_DEVICE_LOW = 0x0a0,
  QUEUE_DEVICE_HIGH = 0x0a4,
  SHM_SEL = 0x0ac,
  SHM_LEN_LOW = 0x0b0,
  SHM_LEN_HIGH = 0x0b4,
  SHM_BASE_LOW = 0x0b8,
  SHM_BASE_HIGH = 0x0bc,
  QUEUE_RESET = 0x0c0,
  CONFIG_GENERATION = 0x0fc,
  CONFIG = 0x100,
}

/** Fields of the PCI transport's common configuration structure (4.1.4.3). */
export const enum VirtioPciCommon {
  DEVICE_FEATURE_SELECT = 0x00,
  DEVICE_FEATURE = 0x04,
  DRIVER_FEATURE_SELECT = 0x08,
  DRIVER_FEATURE = 0x0c,
  CONFIG_MSIX_VECTOR = 0x10,
  NUM_QUEUES = 0x12,
  DEVICE_STATUS = 0x14,
  CONFIG_GENERATION = 0x15,
  QUEUE_SELECT = 0x16,
  QUEUE_SIZE = 0x18,
  QUEUE_MSIX_VECTOR = 0x1a,
  QUEUE_ENABLE = 0x1c,
  QUEUE_NOTIFY_OFF = 0x1e,
  QUEUE_DESC_LOW = 0x20,
  QUEUE_DESC_HIGH = 0x24,
  QUEUE_DRIVER_LOW = 0x28,
  QUEUE_DRIVER_HIGH = 0x2c,
  QUEUE_DEVICE_LOW = 0x30,
  QUEUE_DEVICE_HIGH = 0x34,
  QUEUE_NOTIFY_DATA = 0x38,
  QUEUE_RESET = 0x3a,
  SIZE = 0x3c,
}

/** cfg_type of a vendor capability (4.1.4). */
export const enum VirtioPciCap {
  COMMON = 1,
  NOTIFY = 2,
  ISR = 3,
  DEVICE = 4,
  PCI_CFG = 5,
}

/** Where our PCI functions put things: one page each in one 64-bit BAR, the MSI-X table in another. */
export const enum VirtioPciBar {
  MSIX = 1,
  MSIX_SIZE = 0x1000,
  MSIX_TABLE = 0,
  MSIX_PBA = 0x800,
  MSIX_VECTORS = 24,

  REGISTERS = 4,
  REGISTERS_SIZE = 0x4000,
  COMMON = 0x0000,
  ISR = 0x1000,
  DEVICE = 0x2000,
  NOTIFY = 0x3000,
  NOTIFY_MULTIPLIER = 4,
}

export const enum VirtioMagic {
  MAGIC = 0x7472_6976, // "virt"
  VERSION = 2,
  VENDOR_ID = 0x4156_5250, // "PRVA"
  PCI_VENDOR_ID = 0x1af4,
  PCI_DEVICE_ID = 0x1040, // plus the device's identifier
  PCI_SUBSYSTEM_ID = 0x1100,
  NO_VECTOR = 0xffff,
}

/** Device identifiers (5). */
export const enum VirtioId {
  NONE = 0,
  NETWORK = 1,
  BLOCK = 2,
  CONSOLE = 3,
  ENTROPY = 4,
  TRANSPORT_9P = 9,
  SOCKET = 19,
  BALLOON = 5,
  RTC = 17,
  MEM = 24,
  PMEM = 27,
  /** Some device that the host defines. */
  ANY = 0xffff,
}

/** Device status bits (2.1). */
export const enum VirtioStatus {
  ACKNOWLEDGE = 1,
  DRIVER = 2,
  DRIVER_OK = 4,
  FEATURES_OK = 8,
  DEVICE_NEEDS_RESET = 64,
  FAILED = 128,
}

/** Interrupt status bits (4.2.2, 4.1.4.5). */
export const enum VirtioInterrupt {
  USED_BUFFER = 1,
  CONFIGURATION = 2,
}

/** Feature bit numbers (6). */
export const enum VirtioFeature {
  INDIRECT_DESC = 28,
  EVENT_IDX = 29,
  VERSION_1 = 32,
  RING_PACKED = 34,
  NOTIFICATION_DATA = 38,
  NOTIF_CONFIG_DATA = 39,
  RING_RESET = 40,
}

/** Flags of a descriptor, of the rings of a split queue (2.7), and of a packed one's events (2.8). */
export const enum VirtqFlag {
  DESC_NEXT = 1,
  DESC_WRITE = 2,
  DESC_INDIRECT = 4,
  AVAIL_NO_INTERRUPT = 1,
  USED_NO_NOTIFY = 1,
  PACKED_AVAIL = 1 << 7,
  PACKED_USED = 1 << 15,
  EVENT_ENABLE = 0,
  EVENT_DISABLE = 1,
  EVENT_DESC = 2,
}

/** Flags of attachVirtioMmio and attachVirtioPci. The highest byte is a number of queues; 0 leaves it to the device. */
export const enum VirtioAttach {
  READ_ONLY = 1,
  /** Console: RESIZE says rows before columns, as Linux before 6.15 reads it. */
  RESIZE_ROWS_FIRST = 2,
  /** Offers packed virtqueues. */
  RING_PACKED = 1 << 16,
  /** Offers notification data: the driver's notifications say where its ring stands. */
  NOTIFICATION_DATA = 1 << 17,
  /** Does not offer indirect descriptors: a driver then allocates no table for each request. */
  NO_INDIRECT = 1 << 18,
  QUEUES_SHIFT = 24,
}

/** Block device (5.2). */
export const enum VirtioBlk {
  F_SEG_MAX = 2,
  F_RO = 5,
  F_BLK_SIZE = 6,
  F_FLUSH = 9,
  F_TOPOLOGY = 10,
  F_CONFIG_WCE = 11,
  F_MQ = 12,
  F_DISCARD = 13,
  F_WRITE_ZEROES = 14,

  T_IN = 0,
  T_OUT = 1,
  T_FLUSH = 4,
  T_GET_ID = 8,
  T_DISCARD = 11,
  T_WRITE_ZEROES = 13,

  S_OK = 0,
  S_IOERR = 1,
  S_UNSUPP = 2,

  SECTOR = 512,
  ID_BYTES = 20,
  /** Flag of a discard or write-zeroes segment. */
  UNMAP = 1,
}

/** Offsets in the block device's configuration space (5.2.4). */
export const enum VirtioBlkConfig {
  CAPACITY = 0,
  SIZE_MAX = 8,
  SEG_MAX = 12,
  GEOMETRY = 16,
  BLK_SIZE = 20,
  PHYSICAL_BLOCK_EXP = 24,
  ALIGNMENT_OFFSET = 25,
  MIN_IO_SIZE = 26,
  OPT_IO_SIZE = 28,
  WRITEBACK = 32,
  NUM_QUEUES = 34,
  MAX_DISCARD_SECTORS = 36,
  MAX_DISCARD_SEG = 40,
  DISCARD_SECTOR_ALIGNMENT = 44,
  MAX_WRITE_ZEROES_SECTORS = 48,
  MAX_WRITE_ZEROES_SEG = 52,
  WRITE_ZEROES_MAY_UNMAP = 56,
  SIZE = 60,
}

/** Console device (5.3). */
export const enum VirtioConsole {
  F_SIZE = 0,
  F_MULTIPORT = 1,
  F_EMERG_WRITE = 2,

  CONFIG_COLS = 0,
  CONFIG_ROWS = 2,
  CONFIG_MAX_NR_PORTS = 4,
  CONFIG_EMERG_WR = 8,
  CONFIG_SIZE = 12,

  DEVICE_READY = 0,
  PORT_ADD = 1,
  PORT_REMOVE = 2,
  PORT_READY = 3,
  CONSOLE_PORT = 4,
  RESIZE = 5,
  PORT_OPEN = 6,
  PORT_NAME = 7,

  QUEUE_CONTROL_RX = 2,
  QUEUE_CONTROL_TX = 3,
}

/** 9P transport: tag_len u16, then the tag, as Linux's trans_virtio reads it. */
export const enum Virtio9p {
  F_MOUNT_TAG = 0,

  CONFIG_TAG_LEN = 0,
  CONFIG_TAG = 2,
  TAG_MAX = 31,
  CONFIG_SIZE = 33,
}

/** Socket device (5.10). */
export const enum VirtioVsock {
  F_STREAM = 0,

  CONFIG_GUEST_CID = 0,
  CONFIG_SIZE = 8,

  QUEUE_RX = 0,
  QUEUE_TX = 1,
  QUEUE_EVENT = 2,

  EVENT_TRANSPORT_RESET = 0,
}

/** Offsets in the header of a socket packet (5.10.6). */
export const enum VsockHeader {
  SRC_CID = 0, // u64
  DST_CID = 8, // u64
  SRC_PORT = 16, // u32
  DST_PORT = 20, // u32
  LEN = 24, // u32, bytes of payload
  TYPE = 28, // u16
  OP = 30, // u16, VsockOp
  FLAGS = 32, // u32
  BUF_ALLOC = 36, // u32
  FWD_CNT = 40, // u32
  SIZE = 44,
}

export const enum VsockOp {
  INVALID = 0,
  REQUEST = 1,
  RESPONSE = 2,
  RST = 3,
  SHUTDOWN = 4,
  RW = 5,
  CREDIT_UPDATE = 6,
  CREDIT_REQUEST = 7,
}

export const enum VsockType {
  STREAM = 1,
}

/** Flags of SHUTDOWN: its sender will take, will send no more. */
export const enum VsockShutdown {
  RECEIVE = 1,
  SEND = 2,
  BOTH = 3,
}

/** Network device (5.1): feature bits, and what configuration space and the control queue say. */
export const enum VirtioNet {
  F_CSUM = 0,
  F_GUEST_CSUM = 1,
  F_CTRL_GUEST_OFFLOADS = 2,
  F_MTU = 3,
  F_MAC = 5,
  F_GUEST_TSO4 = 7,
  F_GUEST_TSO6 = 8,
  F_GUEST_ECN = 9,
  F_HOST_TSO4 = 11,
  F_HOST_TSO6 = 12,
  F_HOST_ECN = 13,
  F_MRG_RXBUF = 15,
  F_STATUS = 16,
  F_CTRL_VQ = 17,
  F_CTRL_RX = 18,
  F_CTRL_VLAN = 19,
  F_CTRL_RX_EXTRA = 20,
  F_GUEST_ANNOUNCE = 21,
  F_MQ = 22,
  F_CTRL_MAC_ADDR = 23,
  F_SPEED_DUPLEX = 63,

  S_LINK_UP = 1,
  S_ANNOUNCE = 2,

  /** Of a control command: its class, command and answer. */
  CTRL_HEADER = 2,
  CTRL_OK = 0,
  CTRL_ERR = 1,

  CTRL_RX = 0,
  CTRL_RX_PROMISC = 0,
  CTRL_RX_ALLMULTI = 1,
  CTRL_RX_ALLUNI = 2,
  CTRL_RX_NOMULTI = 3,
  CTRL_RX_NOUNI = 4,
  CTRL_RX_NOBCAST = 5,

  CTRL_MAC = 1,
  CTRL_MAC_TABLE_SET = 0,
  CTRL_MAC_ADDR_SET = 1,

  CTRL_VLAN = 2,
  CTRL_VLAN_ADD = 0,
  CTRL_VLAN_DEL = 1,

  CTRL_ANNOUNCE = 3,
  CTRL_ANNOUNCE_ACK = 0,

  CTRL_MQ = 4,
  CTRL_MQ_VQ_PAIRS_SET = 0,

  CTRL_GUEST_OFFLOADS = 5,
  CTRL_GUEST_OFFLOADS_SET = 0,
}

/** Offsets in the network device's configuration space (5.1.4). */
export const enum VirtioNetConfig {
  MAC = 0,
  STATUS = 6,
  MAX_VIRTQUEUE_PAIRS = 8,
  MTU = 10,
  SPEED = 12,
  DUPLEX = 16,
  SIZE = 20,
}

/** Memory balloon device (5.5). */
export const enum VirtioBalloon {
  F_STATS_VQ = 1,
  F_DEFLATE_ON_OOM = 2,
  F_PAGE_POISON = 4,
  F_REPORTING = 5,

  CONFIG_NUM_PAGES = 0,
  CONFIG_ACTUAL = 4,
  CONFIG_POISON_VAL = 12,
  CONFIG_SIZE = 16,

  /** Bytes of an entry of the statistics buffer: {tag u16, val u64}. */
  STAT_BYTES = 10,
  /** Tags there are names for: 0 to 15. */
  STATS = 16,
}

/** Memory device (5.15). */
export const enum VirtioMem {
  F_UNPLUGGED_INACCESSIBLE = 1,

  REQ_PLUG = 0,
  REQ_UNPLUG = 1,
  REQ_UNPLUG_ALL = 2,
  REQ_STATE = 3,
  REQ_BYTES = 24,

  RESP_ACK = 0,
  RESP_NACK = 1,
  RESP_BUSY = 2,
  RESP_ERROR = 3,
  RESP_BYTES = 10,

  STATE_PLUGGED = 0,
  STATE_UNPLUGGED = 1,
  STATE_MIXED = 2,

  CONFIG_BLOCK_SIZE = 0,
  CONFIG_NODE_ID = 8,
  CONFIG_ADDR = 16,
  CONFIG_REGION_SIZE = 24,
  CONFIG_USABLE_REGION_SIZE = 32,
  CONFIG_PLUGGED_SIZE = 40,
  CONFIG_REQUESTED_SIZE = 48,
  CONFIG_SIZE = 56,

  /** What we plug at once. Linux works in pieces of at least 2 MiB. */
  BLOCK_BYTES = 0x20_0000,
}

/** PMEM device (5.19). */
export const enum VirtioPmem {
  REQ_FLUSH = 0,
  RESP_OK = 0,
  RESP_ERROR = 1,

  CONFIG_START = 0,
  CONFIG_SIZE_AT = 8,
  CONFIG_SIZE = 16,
}

/** Real-time clock device (virtio 1.4 draft). */
export const enum VirtioRtc {
  F_ALARM = 0,

  REQ_READ = 0x0001,
  REQ_READ_CROSS = 0x0002,
  REQ_CFG = 0x1000,
  REQ_CLOCK_CAP = 0x1001,
  REQ_CROSS_CAP = 0x1002,
  REQ_READ_ALARM = 0x1003,
  REQ_SET_ALARM = 0x1004,
  REQ_SET_ALARM_ENABLED = 0x1005,
  NOTIF_ALARM = 0x2000,

  S_OK = 0,
  S_EOPNOTSUPP = 2,
  S_ENODEV = 3,
  S_EINVAL = 4,
  S_EIO = 5,

  CLOCK_UTC = 0,
  CLOCK_TAI = 1,
  CLOCK_MONOTONIC = 2,
  CLOCK_UTC_SMEARED = 3,
  CLOCK_UTC_MAYBE_SMEARED = 4,

  SMEAR_UNSPECIFIED = 0,
  FLAG_ALARM_CAP = 1,
  FLAG_ALARM_ENABLED = 1,
}

/**
 * What the host says of a virtio device that it defines, at Machine.SCRATCH while that is attached. The device keeps it at
 * the beginning of its own state.
 */
export const enum VirtioCustom {
  ID = 0,
  QUEUES = 4,
  QUEUE_SIZE = 8,
  CONFIG_SIZE = 12,
  /** Bits 0 to 23, the device's own. */
  FEATURES = 16,
  /** A bit a queue: room for what the device has to say. */
  INPUTS = 20,
  /** The configuration space's first contents follow. */
  CONFIG = 32,

  CONFIG_MAX = 64,
  QUEUES_MAX = 16,
  QUEUE_SIZE_MAX = 256,
  FEATURE_BITS = 24,
  /** What customRequest gives for an answer that comes later. */
  LATER = -1,
}
