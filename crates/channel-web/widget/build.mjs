// Builds dist/widget.js and fails when it is larger than a page should have to load.
import { readFile } from "node:fs/promises";
import { gzipSync } from "node:zlib";
import { build, transform } from "esbuild";

const GZIP_BYTES_MAX = 20 * 1024;
const outfile = "dist/widget.js";

/** Style sheets become strings, with the white space taken out. */
const styleSheets = {
  name: "style-sheets",
  setup(setup) {
    setup.onLoad({ filter: /\.css$/ }, async ({ path }) => {
      const { code } = await transform(await readFile(path, "utf8"), { loader: "css", minify: true });
      return { contents: code.trim(), loader: "text" };
    });
  },
};

await build({
  entryPoints: ["src/main.ts"],
  outfile,
  bundle: true,
  minify: true,
  format: "iife",
  target: ["es2022"],
  // Escapes, so that a page in another encoding shows the same words.
  charset: "ascii",
  legalComments: "none",
  plugins: [styleSheets],
});

const bytes = await readFile(outfile);
const packed = gzipSync(bytes, { level: 9 }).length;
console.log(`${outfile}: ${bytes.length} bytes, ${packed} gzipped, at most ${GZIP_BYTES_MAX}`);
if (packed > GZIP_BYTES_MAX) {
  console.error(`${outfile} is ${packed - GZIP_BYTES_MAX} bytes over its limit: take something out`);
  process.exitCode = 1;
}
