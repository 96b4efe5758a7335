export { createBoard } from './board.ts';
export type { Board, BoardOptions } from './board.ts';
export { DeviceProxy } from './remote-device.ts';
export type { RemoteDevice } from './remote-device.ts';
export { COM1_IRQ, SerialDevices } from './serial-devices.ts';
export type { ByteOutput, PlaceableDevice, SerialDevicesOptions } from './serial-devices.ts';
