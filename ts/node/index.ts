/** What Node can do beyond browsers: files. `import { loadFile, saveFile } from "unrolled/node"`. */
export { CheckpointFiles, type CheckpointFilesOptions, type LoadedCheckpoint } from "./checkpoint-files.js";
export { type FasterCore, type FasterCoreOptions, loadFasterCore } from "./faster-core.js";
export { checkSavable, FileError, loadFile, readText, saveFile } from "./files.js";
