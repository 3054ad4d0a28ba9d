/** What Node can do beyond browsers: files. `import { loadFile, saveFile } from "unrolled/node"`. */
export { checkSavable, FileError, loadFile, readText, saveFile } from "./files.js";
