/**
 * The WebAssembly JavaScript interface as far as this project uses it, for programs compiled without the DOM library.
 * Same shapes as TypeScript's lib.dom, so a source that compiles here compiles there too. Warning: as there, `Memory.buffer`
 * is typed ArrayBuffer even when the memory is shared.
 */
declare namespace WebAssembly {
  interface ValueTypeMap { anyfunc: Function; externref: any; f32: number; f64: number; i32: number; i64: bigint; v128: never }
  type ValueType = keyof ValueTypeMap;
  type TableKind = 'anyfunc' | 'externref';
  type ImportExportKind = 'function' | 'global' | 'memory' | 'table' | 'tag';
  type AddressType = 'i32' | 'i64';
  type ExportValue = Function | Global | Memory | Table;
  type ImportValue = ExportValue | number;
  type Exports = Record<string, ExportValue>;
  type ModuleImports = Record<string, ImportValue>;
  type Imports = Record<string, ModuleImports>;
  type Source = ArrayBufferView<ArrayBuffer> | ArrayBuffer;

  interface GlobalDescriptor<T extends ValueType = ValueType> { mutable?: boolean; value: T }
  interface MemoryDescriptor { address?: AddressType; initial: number; maximum?: number; shared?: boolean }
  interface TableDescriptor { address?: AddressType; element: TableKind; initial: number; maximum?: number }
  interface ModuleExportDescriptor { kind: ImportExportKind; name: string }
  interface ModuleImportDescriptor { kind: ImportExportKind; module: string; name: string }
  interface WebAssemblyInstantiatedSource { instance: Instance; module: Module }

  interface Global<T extends ValueType = ValueType> { value: ValueTypeMap[T]; valueOf(): ValueTypeMap[T] }
  var Global: {
    prototype: Global;
    new <T extends ValueType = ValueType>(descriptor: GlobalDescriptor<T>, value?: ValueTypeMap[T]): Global<T>;
  };

  interface Instance { readonly exports: Exports }
  var Instance: { prototype: Instance; new (module: Module, imports?: Imports): Instance };

  interface Memory { readonly buffer: ArrayBuffer; grow(deltaPages: number): number }
  var Memory: { prototype: Memory; new (descriptor: MemoryDescriptor): Memory };

  interface Module {}
  var Module: {
    prototype: Module;
    new (bytes: Source): Module;
    customSections(module: Module, name: string): ArrayBuffer[];
    exports(module: Module): ModuleExportDescriptor[];
    imports(module: Module): ModuleImportDescriptor[];
  };

  interface Table {
    readonly length: number;
    get(index: number): any;
    grow(delta: number, value?: any): number;
    set(index: number, value?: any): void;
  }
  var Table: { prototype: Table; new (descriptor: TableDescriptor, value?: any): Table };

  interface CompileError extends Error {}
  var CompileError: { prototype: CompileError; new (message?: string): CompileError };
  interface LinkError extends Error {}
  var LinkError: { prototype: LinkError; new (message?: string): LinkError };
  interface RuntimeError extends Error {}
  var RuntimeError: { prototype: RuntimeError; new (message?: string): RuntimeError };

  function compile(bytes: Source): Promise<Module>;
  function instantiate(bytes: Source, imports?: Imports): Promise<WebAssemblyInstantiatedSource>;
  function instantiate(module: Module, imports?: Imports): Promise<Instance>;
  function validate(bytes: Source): boolean;
}
