// Prometheus's text format (exposition format 0.0.4).

export const CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8";

export type Labels = Record<string, string>;

interface Family {
  type: "counter" | "gauge";
  help: string;
  samples: string[];
}

// Label values escape backslash, quote and line feed; help the first and last.
const escapedHelp = (text: string) => text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
const escapedValue = (text: string) => escapedHelp(text).replaceAll('"', '\\"');

export class Exposition {
  readonly #families = new Map<string, Family>();

  /** A metric and what it is; the result adds a sample of it. Names are valid ones. */
  metric(name: string, type: Family["type"], help: string): (value: number, labels?: Labels) => void {
    const family: Family = { type, help, samples: [] };
    this.#families.set(name, family);
    return (value, labels = {}) => {
      const pairs = Object.entries(labels).map(([label, text]) => `${label}="${escapedValue(text)}"`);
      family.samples.push(`${name}${pairs.length > 0 ? `{${pairs.join(",")}}` : ""} ${value}`);
    };
  }

  text(): string {
    const lines = [...this.#families].flatMap(([name, { type, help, samples }]) => [
      `# HELP ${name} ${escapedHelp(help)}`,
      `# TYPE ${name} ${type}`,
      ...samples,
    ]);
    return `${lines.join("\n")}\n`;
  }
}
