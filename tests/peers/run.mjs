// Runs a model in onnxruntime-node, with no operators registered: node run.mjs MODULES MODEL ANSWER INPUT=PIXELS...
// PIXELS are files of raw uint8 RGB, 224 x 224 each; ANSWER gets the outputs' float32 values, one after the other.
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";

const [modules, model, answer, ...inputs] = process.argv.slice(2);
const { InferenceSession, Tensor } = createRequire(`${modules}/`)("onnxruntime-node");

const feeds = {};
for (const input of inputs) {
  const [name, path] = input.split("=");
  const pixels = new Uint8Array(readFileSync(path));
  feeds[name] = new Tensor("uint8", pixels, [pixels.length / (224 * 224 * 3), 224, 224, 3]);
}
const session = await InferenceSession.create(model, { executionProviders: ["cpu"] });
const results = await session.run(feeds);
const outputs = session.outputNames.map((name) => results[name]);
writeFileSync(answer, Buffer.concat(outputs.map(({ data }) => Buffer.from(data.buffer, data.byteOffset, data.byteLength))));
console.log(JSON.stringify(Object.fromEntries(session.outputNames.map((name, i) => [name, [outputs[i].type, outputs[i].dims]]))));
