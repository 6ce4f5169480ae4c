/** Rows that are being filled at a time; more of them pack tighter. */
const OPEN_ROWS = 32;

/**
 * Packs short dialogues into rows of at most `length` tokens, so that hardly any step is spent on padding (best fit).
 * A dialogue is never cut, and every row begins with one: the model learns what stands at the first positions.
 */
export function packDialogues(dialogues, length) {
  const rows = [];
  const open = [];
  for (const ids of dialogues) {
    if (ids.length > length) continue;
    const fits = open.filter((row) => row.length + ids.length <= length);
    const fullest = fits.reduce(
      (best, row) => (best === undefined || row.length > best.length ? row : best),
      undefined,
    );
    if (fullest) fullest.push(...ids);
    else open.push([...ids]);
    if (open.length > OPEN_ROWS) {
      open.sort((a, b) => b.length - a.length);
      rows.push(open.shift());
    }
  }
  return [...rows, ...open].map((input_ids) => ({ input_ids }));
}
