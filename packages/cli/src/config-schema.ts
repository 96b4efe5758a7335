import { CPU_MODEL_NAMES, ENGINES, PLACEABLE } from '@vmm/runtime';
import { z } from 'zod';

const models = CPU_MODEL_NAMES.join('|');
const cpu = z.string().regex(new RegExp(`^(${models})(,[+-][a-z0-9_]+)*$`), { message: `expected one of ${models}` });
const place = z.enum(['vcpu', 'worker']);

/** What `vmm.config.ts` exports or `vmm.config.json` holds, and what the command line says: the same names. */
export const configSchema = z.strictObject({
  $schema: z.string().optional().describe('For editors: vmm.config.schema.json.'),
  guest: z.string().optional().describe('A guest that vmm obtains itself: linux-amd64 (default), linux-i386, linux-cloud-amd64, or the embedded nano.'),
  kernel: z.string().optional().describe('Path of a kernel (bzImage, ELF with a PVH note, multiboot 1), relative to the configuration file.'),
  initrd: z.string().optional().describe('Path of the initial RAM disk, relative to the configuration file.'),
  append: z.string().optional().describe('Kernel command line. Default: console=ttyS0 for your own kernel, the guest\'s own otherwise.'),
  entry: z.union([z.literal(16), z.literal(32), z.literal(64)]).optional().describe('Which entry of a bzImage: its real-mode code, 32-bit or 64-bit. Default: the kernel\'s own width.'),
  memory: z.union([z.string(), z.int().positive()]).optional().describe('Guest memory: "256M", "1G", or bytes; 4 MiB to 3 GiB. Default 256M.'),
  cpu: cpu.optional().describe(`CPU model, and features to add or take away: x86-64-v3,-avx2,+pku. Default ${CPU_MODEL_NAMES[0] ?? ''}.`),
  engine: z.enum(ENGINES).optional().describe('How the guest is run. Default bare.'),
  clock: z.union([
    z.literal('host'),
    z.strictObject({ scale: z.number().positive() }),
    z.strictObject({ instructionsPerSecond: z.number().positive() }),
  ]).optional().describe('Real time, scaled real time, or counted instructions (repeatable). Default host.'),
  placement: z.union([z.literal('auto'), z.strictObject(Object.fromEntries(PLACEABLE.map((device) => [device, place.optional()])))])
    .optional().describe('What runs where: auto, or vcpu or worker for each of serial, debugConsole and translator. Default auto.'),
  translationCache: z.string().optional().describe('File where it is kept which code became hot, so that it is translated at once in the next run. Default: none.'),
  reboot: z.boolean().optional().describe('Whether a reset by the guest resets the machine; false ends it. Default true.'),
  onTripleFault: z.enum(['stop', 'reset']).optional().describe('Default stop.'),
});

export type Config = z.infer<typeof configSchema>;

/** The published JSON Schema of a configuration file. */
export function configJsonSchema(): object {
  return { title: 'VMM machine', ...z.toJSONSchema(configSchema) };
}
