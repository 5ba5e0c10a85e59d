// The packages of package.json, which run.sh has put into CHART_MODULES; Node looks for them beside this file only.
import { createRequire } from 'node:module';
import { join } from 'node:path';

export const modules = process.env.CHART_MODULES;
if (!modules) throw new Error('CHART_MODULES is not set: run this by ./dev chart');
export const load = createRequire(join(modules, 'any.js'));
export const yaml = load('yaml');
