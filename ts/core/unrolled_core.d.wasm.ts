/** workerd's reading of an imported wasm file: a compiled module. */
declare const wasmModule: WebAssembly.Module;
export default wasmModule;
