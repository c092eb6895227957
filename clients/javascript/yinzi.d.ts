/** How keys are meant and what is wanted back; GET /v1/models lists what a service can. */
export interface TypingOptions {
  scheme?: string;
  fuzzy?: string[];
  corrects_typing?: boolean;
  script?: string;
  punctuation?: string;
  reads_english?: boolean;
}

export interface Candidate {
  text: string;
  /** Natural log; higher is likelier. Not in sessions. */
  logprob: number;
  start: number;
  end: number;
  kind: "sentence" | "word";
  syllables: string[];
}

export interface Character {
  character: string;
  pinyin: string | null;
  pinyin_digits: string | null;
  zhuyin: string | null;
}

export interface Change {
  start: number;
  end: number;
  original: string;
  replacement: string;
  margin: number;
}

export interface Correction {
  text: string;
  changes: Change[];
  alternatives: string[];
}

export interface Explanation {
  candidates: {
    text: string;
    logprob: number;
    probability: number;
    features: Record<string, number>;
    words: { text: string; language_model: number; encoder: number; penalties: number }[];
  }[];
  weights: Record<string, number>;
  lattice: { start: number; end: number; text: string; logprob: number; is_best: boolean }[];
}

export interface SessionState {
  type: "state";
  id: number | null;
  ms: number;
  preedit: string;
  cursor: number;
  candidates: Omit<Candidate, "logprob">[];
  page: number;
  n_pages: number;
  highlighted: number;
  commit: string;
  is_handled: boolean;
  /** The input that the candidates are for, as typed. */
  letters: string;
  /** Characters at the begin of the preedit that are chosen words. */
  n_selected: number;
  /** The candidates are next words. */
  is_suggesting: boolean;
  mode: "chinese" | "english";
}

export interface ClientOptions {
  key?: string | null;
  /** For one attempt. */
  timeoutMs?: number;
  attempts?: number;
  firstWaitMs?: number;
  /** An answer that asks for a longer wait is not waited for. */
  longestWaitMs?: number;
  fetch?: typeof fetch;
  WebSocket?: new (address: string, protocols?: string[]) => WebSocket;
}

export class ServiceError extends Error {
  constructor(status: number, error: string, detail: string);
  /** Of HTTP; 0 if there was no answer. */
  readonly status: number;
  /** A word for programs. */
  readonly error: string;
}

export class Client {
  /** @param address "" for the service that the page came from. */
  constructor(address?: string, options?: ClientOptions);
  convert(
    pinyin: string,
    options?: {
      leftContext?: string;
      nBest?: number;
      includesWords?: boolean;
      options?: TypingOptions;
    },
  ): Promise<Candidate[]>;
  convertBatch(
    inputs: (string | { pinyin: string; leftContext?: string })[],
    options?: { nBest?: number; options?: TypingOptions },
  ): Promise<Candidate[][]>;
  annotate(text: string): Promise<Character[]>;
  correct(text: string, options?: { nBest?: number }): Promise<Correction>;
  explain(
    pinyin: string,
    options?: { leftContext?: string; nBest?: number; options?: TypingOptions },
  ): Promise<Explanation>;
  models(): Promise<Record<string, unknown>>;
  request(method: string, path: string, body?: unknown): Promise<any>;
  session(options?: {
    leftContext?: string;
    pageSize?: number;
    options?: TypingOptions;
  }): Promise<Session>;
}

export class Session {
  readonly opened: Promise<void>;
  press(...keys: string[]): Promise<SessionState>;
  select(index: number): Promise<SessionState>;
  reset(leftContext?: string): Promise<SessionState>;
  send(message: Record<string, unknown>): Promise<SessionState>;
  close(): void;
}
