type Activity = "step" | "evaluation" | "save";

/** `max_train_seconds`: whether there is time for one more thing and a save after it, judged by the longest so far. */
export class TimeBudget {
  private readonly started = performance.now();
  private readonly longestMs: Record<Activity, number> = { step: 0, evaluation: 0, save: 0 };

  constructor(private readonly seconds: number | null) {}

  /** Milliseconds since training began. */
  get elapsedMs(): number {
    return performance.now() - this.started;
  }

  async measure<T>(activity: Activity, run: () => Promise<T>): Promise<T> {
    const started = performance.now();
    try {
      return await run();
    } finally {
      this.note(activity, performance.now() - started);
    }
  }

  note(activity: Activity, ms: number): void {
    this.longestMs[activity] = Math.max(this.longestMs[activity], ms);
  }

  isTooShortFor(next: "step" | "evaluation" | undefined): boolean {
    if (this.seconds === null) return false;
    const budgetMs = this.seconds * 1000;
    // Saves vary most; before the first one only a share of the budget can be set aside.
    const saveMs = Math.max(2 * this.longestMs.save, 0.02 * budgetMs);
    const nextMs = next === undefined ? 0 : this.longestMs[next];
    return this.elapsedMs + nextMs + saveMs >= budgetMs;
  }
}
