export { DebugConsole, DebugExit, PostCode } from './debug-ports.ts';
