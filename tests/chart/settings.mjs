// The settings that values may have (`config`), in the schema as docs/configuration.md has them.

const sections = {
    sharedConfig: ['Every service', 'Services with a database', 'Services on the message bus', 'Services that check access tokens'],
    gatewayConfig: ['Every service', 'Services that check access tokens', 'Gateway'],
    authConfig: ['Every service', 'Services with a database', 'Services on the message bus', 'auth'],
    usersConfig: ['Every service', 'Services with a database', 'Services on the message bus', 'Services that check access tokens', 'users'],
};

// Of other keys of the values, or of the chart alone.
const own = /^(LISTEN_ADDR|ADMIN_ADDR|SHUTDOWN_.*|TOKEN_ISSUER|DATABASE_URL|NATS_.*|KEY_ENCRYPTION_KEY|BOOTSTRAP_.*|ROUTES_FILE)$/;

const bytes = { integers: /^(int|size|duration)/, limits: /^([\d-]+) to (\d+)/ };

function schemaOf(type, limits) {
    if (type === 'enum') return { enum: limits.split(', ') };
    if (type === 'bool') return { type: 'boolean' };
    if (!bytes.integers.test(type)) return { type: 'string' };
    const [, minimum, maximum] = limits.match(bytes.limits) ?? [];
    return { type: 'integer', ...(maximum && { minimum: Number(minimum), maximum: Number(maximum) }) };
}

// page: docs/configuration.md -> the definitions of the schema
export function settingsDefinitions(page) {
    const bySection = new Map();
    let section = null;
    for (const line of page.split('\n')) {
        if (line.startsWith('## ')) bySection.set((section = line.slice(3)), {});
        const row = line.match(/^\| `([A-Z0-9_]+)` \| ([^|]*) \| [^|]* \| ([^|]*) \|/);
        if (row && !own.test(row[1])) bySection.get(section)[row[1]] = schemaOf(row[2], row[3].trim());
    }
    return Object.fromEntries(Object.entries(sections).map(([name, wanted]) => {
        const properties = Object.assign({}, ...wanted.map((each) => {
            if (!bySection.has(each)) throw new Error(`docs/configuration.md has no section "${each}"`);
            return bySection.get(each);
        }));
        return [name, { type: 'object', additionalProperties: false, properties, examples: [{ LOG_LEVEL: 'debug' }] }];
    }));
}

// Some value of each setting that is not its default.
export function sampleSettings(definition) {
    return Object.fromEntries(Object.entries(definition.properties).map(([name, { type, minimum, enum: choices }]) =>
        [name, choices ? choices[1] : type === 'boolean' ? false : type === 'integer' ? (minimum ?? 0) + 1 : 'http://192.0.2.1/some']));
}
