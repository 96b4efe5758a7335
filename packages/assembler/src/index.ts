export { assemble, type AssembleOptions, type Assembly, type ListingLine } from './assemble.ts';
export { AssemblyError, type Diagnostic } from './errors.ts';
