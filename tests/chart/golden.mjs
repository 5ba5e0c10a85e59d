// Files that are made, and compared with what they were.
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { scratch } from './helm.mjs';

export const update = process.argv.includes('--update');
export const stale = 'is stale: run ./dev chart --update, look at the change, and commit it';

// What `diff` prints, without the names of the files.
export function difference(one, other) {
    try {
        return execFileSync('diff', ['-U1', one, other], { encoding: 'utf8' });
    } catch ({ status, stdout }) {
        if (status !== 1) throw new Error('diff failed');
        return stdout.split('\n').slice(2).join('\n');
    }
}

// Compares, or writes.
export function golden(path, text, write = update) {
    if (write) return void writeFileSync(path, text);
    if (!existsSync(path)) return `${path} is missing: run ./dev chart --update`;
    if (readFileSync(path, 'utf8') === text) return [];
    const fresh = join(scratch, 'fresh');
    writeFileSync(fresh, text);
    return [`${path} ${stale}`, difference(path, fresh)];
}
