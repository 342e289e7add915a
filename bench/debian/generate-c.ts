// A C file of any length for a compiler to work on: functions with loops, branches, switches
// and floating point, each a little different.

function generateFunction(n: number): string {
  const [a, b, c] = [(n * 7) % 13, (n * 11) % 29, (n * 5) % 7];
  return `double work${n}(struct item *items, unsigned count)
{
	double sum = ${n}.5;
	unsigned seen = ${b}u;

	for (unsigned i = 0; i < count; i++) {
		struct item *it = &items[i];

		switch ((it->key + ${a}u) % 5u) {
		case 0:
			it->key ^= it->next ? it->next->key << ${c + 1} : seen;
			break;
		case 1:
			sum += it->weight * ${b}.25;
			break;
		case 2:
			it->key = (it->key >> ${c + 3}) | (it->key << ${29 - c});
			break;
		default:
			seen += it->bytes[i % 16u] == ${b};
		}
		if (seen > ${a + 10}u && it->weight > sum)
			sum = work${n + 1}(it, count - i - 1) + seen;
	}
	return sum;
}

`;
}

const HEAD = `struct item {
	unsigned key;
	double weight;
	struct item *next;
	unsigned char bytes[16];
};

`;

const linesOf = (text: string): number => text.split("\n").length - 1;

/** So many lines, to the end of a function. */
export function generateC(lines: number): string {
  const functions = Math.ceil((lines - linesOf(HEAD)) / (linesOf(generateFunction(0)) + 1));
  const numbers = Array.from({ length: functions }, (_, n) => n);
  const declarations = numbers.map((n) => `double work${n + 1}(struct item *items, unsigned count);\n`);
  return HEAD + declarations.join("") + numbers.map(generateFunction).join("");
}
