import { invalidArgument } from '../base/index.ts';
import { didYouMean } from './suggest.ts';
import { csvFields, cut, parseBoolean, quote } from './text.ts';

/** A device that a step wants; one that is not required may be missing. */
export interface Device {
  readonly name: string;
  readonly required: boolean;
}

/** `--device=NAME[,required[=BOOL]]`. @throws CodedError for what is none */
export function readDevice(text: string): Device {
  const fields = csvFields(text);
  if (fields === undefined) throw invalidArgument(`failed to parse csv devices: bad quoting in ${quote(text)}`);
  let device: Device = { name: '', required: false };
  for (const field of fields) {
    const [rawKey, value] = cut(field, '=');
    const key = rawKey.toLowerCase();
    if (key === 'required') {
      const required = value === undefined ? true : parseBoolean(value);
      if (required === undefined) throw invalidArgument(`invalid value for ${key}: ${value}`);
      device = { ...device, required };
    } else if (key === 'name' && value !== undefined) {
      if (device.name !== '') throw invalidArgument(`device name already set to ${device.name}`);
      device = { ...device, name: value };
    } else if (device.name === '') device = { ...device, name: field };
    else if (value === undefined) throw invalidArgument(`invalid field '${field}' must be a key=value pair`);
    else throw invalidArgument(`unexpected key '${key}' in '${field}'${didYouMean(key, ['name', 'required'])}`);
  }
  return device;
}
