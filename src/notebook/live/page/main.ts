/** The part of the page that is read on the first press of Run or Edit. */
import "./languages.js";
import { bootKey, type LiveBoot } from "../manifest.js";
import { startApp } from "./app.js";

const boot = (globalThis as unknown as Record<string, LiveBoot>)[bootKey]!;
boot.start = startApp;
