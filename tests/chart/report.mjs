// Counts cases; prints the failed ones, with what was seen.
let passed = 0;
let failed = 0;

export function report(name, seen) {
    const mistakes = [seen ?? []].flat();
    if (mistakes.length === 0) return void passed++;
    failed++;
    console.log(`FAIL  ${name}\n${mistakes.slice(0, 12).map((text) => `      ${String(text).trim().replaceAll('\n', '\n      ')}`).join('\n')}`);
}

// check(name, work): work returns nothing, or what is wrong (one text or several).
export async function check(name, work) {
    try {
        report(name, await work());
    } catch (error) {
        report(name, error.stack ?? error.message);
    }
}

export const same = (seen, wanted) => {
    const [a, b] = [JSON.stringify(seen, null, 1), JSON.stringify(wanted, null, 1)];
    return a === b ? [] : [`saw ${a}`, `wanted ${b}`];
};

export function finish() {
    console.log(`${passed} passed, ${failed} failed`);
    process.exitCode = failed > 0 || passed === 0 ? 1 : 0;
}
