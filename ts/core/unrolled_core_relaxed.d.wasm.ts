/** workerd's reading of an imported wasm file: a compiled module of the relaxed core. */
declare const wasmModule: WebAssembly.Module;
export default wasmModule;
