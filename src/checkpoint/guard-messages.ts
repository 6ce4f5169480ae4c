import type { Situation } from "./situation.js";

export type GuardAction = "start" | "resume" | "stop";

export interface BilingualMessage {
  en: string;
  ja: string;
}

/** The guard's words, apart from its decisions. */
export const guardMessages = {
  decision(action: GuardAction, situation: Situation, dir: string, movedTo?: string): BilingualMessage {
    if (action === "start" && movedTo !== undefined) return movedAside(movedTo);
    switch (situation.found) {
      case "nothing":
        return {
          en: `${dir} holds no checkpoint: training starts from the beginning.`,
          ja: `${dir} にチェックポイントはありません。最初から学習を始めます。`,
        };
      case "running":
        return {
          en: `Another training run is writing into ${dir} (${situation.owner}). Wait for it, or choose another output_dir.`,
          ja: `別の学習が ${dir} に書き込んでいます（${situation.owner}）。終わるのを待つか、output_dir を変えてください。`,
        };
      case "unsaved":
        return withSkipped(
          situation.skipped,
          withChanged(situation.changed, {
            en:
              `Training in ${dir} is complete, but its model was not saved: it is taken from ${situation.checkpoint} ` +
              `(step ${situation.step}), to be saved now.`,
            ja:
              `${dir} の学習は終わっていますが、モデルがまだ保存されていません。` +
              `${situation.checkpoint}（ステップ ${situation.step}）から取り出して保存します。`,
          }),
        );
      case "finished":
        return {
          en:
            `Training in ${dir} is already complete (epoch ${situation.epoch.toFixed(2)}, step ${situation.step}). ` +
            (situation.lost ? "Its model was not saved, and no whole checkpoint is left to take it from. " : "") +
            'Nothing is overwritten. To train anew, choose another output_dir or on_conflict: "overwrite".',
          ja:
            `${dir} の学習はすでに終わっています（エポック ${situation.epoch.toFixed(2)}、ステップ ${situation.step}）。` +
            (situation.lost ? "モデルは保存されておらず、取り出せるチェックポイントも残っていません。" : "") +
            '上書きはしません。やり直すには output_dir を変えるか、on_conflict: "overwrite" を指定してください。',
        };
      case "unfinished":
        return withSkipped(
          situation.skipped,
          withChanged(situation.changed, {
            en: `An unfinished run was found: training goes on from ${situation.checkpoint} (step ${situation.step}).`,
            ja: `途中の学習が見つかりました。${situation.checkpoint}（ステップ ${situation.step}）から再開します。`,
          }),
        );
      case "damaged":
        return withSkipped(situation.skipped, {
          en:
            `The checkpoints in ${dir} cannot be read, so training does not start and nothing is changed. ` +
            'Look at them, choose another output_dir, or use on_conflict: "overwrite" (which keeps them in a subfolder).',
          ja:
            `${dir} のチェックポイントを読み取れないため、学習を始めません。ファイルには手を触れていません。` +
            '中身を確かめるか、output_dir を変えるか、on_conflict: "overwrite"（サブフォルダーに残します）を指定してください。',
        });
    }
  },

  question(situation: Situation, dir: string): BilingualMessage {
    const finished = situation.found === "finished";
    return {
      en: `${finished ? "Training is already complete" : "There are unreadable checkpoints"} in ${dir}. Train from the beginning? (What is there is kept in a subfolder.)`,
      ja: `${dir} ${finished ? "の学習はすでに終わっています" : "に読み取れないチェックポイントがあります"}。最初から学習し直しますか？（今あるものはサブフォルダーに残します）`,
    };
  },
};

function movedAside(movedTo: string): BilingualMessage {
  return {
    en: `Training starts from the beginning; what was there is kept in ${movedTo}.`,
    ja: `最初から学習を始めます。今まであったものは ${movedTo} に残しました。`,
  };
}

function withChanged(changed: string[], message: BilingualMessage): BilingualMessage {
  if (changed.length === 0) return message;
  return {
    en:
      `${message.en} But settings have changed since (${changed.join(", ")}), which makes it another run: restore them, or ` +
      "pass allow_changed_arguments: true to train().",
    ja:
      `${message.ja}ただし設定が変わっているため（${changed.join(", ")}）、同じ学習の続きにはなりません。` +
      "設定を元に戻すか、train() に allow_changed_arguments: true を渡してください。",
  };
}

function withSkipped(skipped: string[], message: BilingualMessage): BilingualMessage {
  if (skipped.length === 0) return message;
  return {
    en: `${message.en} Passed over and kept: ${skipped.join("; ")}.`,
    ja: `${message.ja} 使えないため飛ばしたもの（消していません）: ${skipped.join("; ")}`,
  };
}
