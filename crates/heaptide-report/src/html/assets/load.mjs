// The page's scripts are plain ones that share one scope; a test gets what it names of them.
import { readFileSync } from "node:fs";
import vm from "node:vm";

export function load(files, names, globals = {}) {
  const text = files.map((file) => readFileSync(new URL(file, import.meta.url), "utf8")).join("\n");
  return vm.runInNewContext(`"use strict";\n${text}\n;({ ${names.join(", ")} })`, { ...globals });
}
