// Writes a dashboard as TypeScript, so that the compiler holds it against Grafana's own types.
//
//   node dashboard.mjs grafana.json dashboard.ts
import { readFileSync, writeFileSync } from "node:fs";

const [, , from, to] = process.argv;
const dashboard = JSON.parse(readFileSync(from, "utf8"));
const ofGraphs = dashboard.panels.filter((panel) => panel.type === "timeseries").map((panel) => panel.fieldConfig.defaults.custom ?? {});
writeFileSync(to, `import type { Dashboard, GraphFieldConfig } from "@grafana/schema";

// JSON has the values of enumerations, not their names.
type Plain<T> = unknown extends T ? T : T extends string ? \`\${T}\` : T extends (infer E)[] ? Plain<E>[] : T extends object ? { [K in keyof T]: Plain<T[K]> } : T;

export const dashboard: Plain<Dashboard> = ${JSON.stringify(dashboard, null, 2)};

export const ofGraphs: Plain<Partial<GraphFieldConfig>>[] = ${JSON.stringify(ofGraphs, null, 2)};
`);
