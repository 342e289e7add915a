/** The name by which qemu-guest-agent looks for its port. */
export const AGENT_PORT = "org.qemu.guest_agent.0";
