// Encrypts an input in WebAssembly, lets the program `hecc` run the plan on it, and decrypts: node run.mjs CLIENT.wasm HECC FOLDER,
// a folder with the plan.bin and plan.client.bin of network.hecc.
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { webcrypto } from "node:crypto";

const [wasm, hecc, folder] = process.argv.slice(2);
const file = (name) => `${folder}/${name}`;

const host = {
    random(at, len) {
        // No more at once than browsers give.
        for (let start = 0; start < len; start += 65536) {
            const size = Math.min(65536, len - start);
            webcrypto.getRandomValues(new Uint8Array(client.memory.buffer, at + start, size));
        }
    },
};
const { instance } = await WebAssembly.instantiate(readFileSync(wasm), { host });
const client = instance.exports;

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
