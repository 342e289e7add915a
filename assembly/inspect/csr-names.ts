// Names of control and status registers.
import { Csr } from "../abi/csr";

export function csrName(n: u32): string {
  switch (n) {
    case Csr.FFLAGS: return "fflags";
    case Csr.FRM: return "frm";
    case Csr.FCSR: return "fcsr";
    case Csr.SEED: return "seed";
    case Csr.SSTATUS: return "sstatus";
    case Csr.SIE: return "sie";
    case Csr.STVEC: return "stvec";
    case Csr.SCOUNTEREN: return "scounteren";
    case Csr.SENVCFG: return "senvcfg";
    case Csr.SSCRATCH: return "sscratch";
    case Csr.SEPC: return "sepc";
    case Csr.SCAUSE: return "scause";
    case Csr.STVAL: return "stval";
    case Csr.SIP: return "sip";
    case Csr.STIMECMP: return "stimecmp";
    case Csr.SISELECT: return "siselect";
    case Csr.SIREG: return "sireg";
    case Csr.STOPEI: return "stopei";
    case Csr.STOPI: return "stopi";
    case Csr.SATP: return "satp";
    case Csr.MSTATUS: return "mstatus";
    case Csr.MISA: return "misa";
    case Csr.MEDELEG: return "medeleg";
    case Csr.MIDELEG: return "mideleg";
    case Csr.MIE: return "mie";
    case Csr.MVIEN: return "mvien";
    case Csr.MVIP: return "mvip";
    case Csr.MISELECT: return "miselect";
    case Csr.MIREG: return "mireg";
    case Csr.MTOPEI: return "mtopei";
    case Csr.MTOPI: return "mtopi";
    case Csr.MTVEC: return "mtvec";
    case Csr.MCOUNTEREN: return "mcounteren";
    case Csr.MENVCFG: return "menvcfg";
    case Csr.MCOUNTINHIBIT: return "mcountinhibit";
    case Csr.MSCRATCH: return "mscratch";
    case Csr.MEPC: return "mepc";
    case Csr.MCAUSE: return "mcause";
    case Csr.MTVAL: return "mtval";
    case Csr.MIP: return "mip";
    case Csr.MSECCFG: return "mseccfg";
    case Csr.TSELECT: return "tselect";
    case Csr.MCYCLE: return "mcycle";
    case Csr.MINSTRET: return "minstret";
    case Csr.CYCLE: return "cycle";
    case Csr.TIME: return "time";
    case Csr.INSTRET: return "instret";
    case Csr.MVENDORID: return "mvendorid";
    case Csr.MARCHID: return "marchid";
    case Csr.MIMPID: return "mimpid";
    case Csr.MHARTID: return "mhartid";
    case Csr.MCONFIGPTR: return "mconfigptr";
  }
  if (n - Csr.PMPCFG0 < 16) return "pmpcfg" + (n - Csr.PMPCFG0).toString();
  if (n - Csr.PMPADDR0 < 64) return "pmpaddr" + (n - Csr.PMPADDR0).toString();
  if (n - Csr.HPMCOUNTER3 < 29) return "hpmcounter" + (n - Csr.HPMCOUNTER3 + 3).toString();
  if (n - Csr.MHPMCOUNTER3 < 29) return "mhpmcounter" + (n - Csr.MHPMCOUNTER3 + 3).toString();
  if (n - Csr.MHPMEVENT3 < 29) return "mhpmevent" + (n - Csr.MHPMEVENT3 + 3).toString();
  return "0x" + n.toString(16);
}
