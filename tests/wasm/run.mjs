// Encrypts an input in WebAssembly, lets the program `hecc` run the plan on it, and decrypts: node run.mjs CLIENT.wasm HECC FOLDER,
// a folder with the plan.bin and plan.client.bin of network.hecc.
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { webcrypto as crypto } from "node:crypto";

const [wasm, hecc, folder] = process.argv.slice(2);
const file = (name) => `${folder}/${name}`;

// Of the functions that it imports from browsers one is ever called. `wasm-bindgen` would bind it by its name, to the same.
const getRandomValues = (at, len) => {
    crypto.getRandomValues(new Uint8Array(client.memory.buffer, at, len));
};
const bind = (name) => {
    if (name.startsWith("__wbg_getRandomValues_")) return getRandomValues;
    return () => {
        throw new Error(`${name} was called`);
    };
};
const module = new WebAssembly.Module(readFileSync(wasm));
const imports = {};
for (const { module: from, name } of WebAssembly.Module.imports(module)) {
    (imports[from] ??= {})[name] = bind(name);
}
const client = new WebAssembly.Instance(module, imports).exports;

function call(name, bytes = new Uint8Array()) {
    const at = client.input(bytes.length);
    new Uint8Array(client.memory.buffer, at, bytes.length).set(bytes);
    client[name]();
    return new Uint8Array(client.memory.buffer, client.output(), client.output_len()).slice();
}

const x = new Float64Array([0.5, -0.25]);
call("generate", readFileSync(file("plan.client.bin")));
writeFileSync(file("plan.ek"), call("evaluation_keys"));
writeFileSync(file("x.ct"), call("encrypt", new Uint8Array(x.buffer)));
execFileSync(hecc, ["run", "plan.bin", "--input", "x.ct", "--quiet"], { cwd: folder });
const result = call("decrypt", readFileSync(file("x.out.ct")));
const y = new Float64Array(result.buffer);
const expected = [0, 3.0625];
console.log(`squares: ${[...y].join(", ")}, expected ${expected.join(", ")}`);
if (y.length !== 2 || y.some((value, i) => !(Math.abs(value - expected[i]) < 0.01))) {
    process.exit(1);
}
