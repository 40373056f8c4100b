/** Types of feature-config.js, the JavaScript client of Feature Config. */

/*
 * `export =` describes what `require` gives and what the script tag defines. The class also carries itself as
 * `FeatureConfigClient` and `default`, so that named and default imports are typed as they work.
 */
export = FeatureConfigClient;
export as namespace FeatureConfigClient;

declare class FeatureConfigClient {
  /** @throws TypeError without a `baseUrl`. */
  constructor(options: FeatureConfigClient.Options);

  /**
   * Every feature of the environment as this context sees it, by key.
   *
   * Never rejects: while the server cannot be reached it resolves to the last known features, or to `{}`. The object
   * is the cache's own: do not change it.
   */
  getFeatures(
    siteId: string,
    environmentId: string,
    context?: FeatureConfigClient.Context | null,
  ): Promise<FeatureConfigClient.Features>;

  /**
   * The value of one feature. `defaultValue` (null when left out) stands in when the feature does not exist, has no
   * value (as when it is disabled; a disabled BOOLEAN is `false`), or nothing is known of it. Never rejects.
   */
  getFeature<T = FeatureConfigClient.Value>(
    siteId: string,
    environmentId: string,
    key: string,
    defaultValue?: null,
    context?: FeatureConfigClient.Context | null,
  ): Promise<T | null>;
  getFeature<T>(
    siteId: string,
    environmentId: string,
    key: string,
    defaultValue: T,
    context?: FeatureConfigClient.Context | null,
  ): Promise<T>;

  /** Whether the value of the feature is exactly `true`. Never rejects. */
  isFeatureEnabled(
    siteId: string,
    environmentId: string,
    key: string,
    context?: FeatureConfigClient.Context | null,
  ): Promise<boolean>;

  /**
   * Calls `listener` with the features now and after each change, until the returned function is called.
   *
   * What the stream brings also feeds the cache: while it is open, the other methods answer from memory and need no
   * request. Subscriptions to the same context share one connection, which is opened again when it breaks. In Node
   * an open connection keeps the process alive; unsubscribe to let it end.
   */
  subscribe(
    siteId: string,
    environmentId: string,
    context: FeatureConfigClient.Context | null | undefined,
    listener: FeatureConfigClient.Listener,
  ): () => void;

  /**
   * Sends the evaluations noted so far. It happens by itself after 20 evaluations, after 60 seconds and when the page
   * is hidden; call it before a Node process ends. Never rejects: evaluations that cannot be sent are dropped.
   */
  flush(): Promise<void>;
}

declare namespace FeatureConfigClient {
  export { FeatureConfigClient, FeatureConfigClient as default };

  export interface Options {
    /** An environment token. In a browser: of kind `client`, since every visitor can read it. */
    apiToken: string;
    /** Where the API is, such as `https://features.example/api/v1`. */
    baseUrl: string;
    /** For how many milliseconds an answer counts as fresh. Default 300 000 (5 minutes); 0 asks the server each time. */
    cacheTtl?: number;
    /** After how many milliseconds a request is given up. Default 5 000. */
    timeout?: number;
    /**
     * Whether uses of features are reported, with the `userId`. Default true. The server counts each feature of an
     * answer by itself; reported are the calls of `getFeature` and `isFeatureEnabled` that it cannot see, those
     * answered from the cache.
     */
    analytics?: boolean;
  }

  /** Attributes of the user or request that rules look at. `userId` is the usual targeting key. */
  export type Context = { readonly [attribute: string]: unknown };

  /** A value of a feature, of type STRING, NUMBER, BOOLEAN or JSON. */
  export type Value = string | number | boolean | readonly unknown[] | { readonly [member: string]: unknown };

  /** One evaluated feature. */
  export interface Feature {
    /** null: the feature has no value for this context. */
    readonly value: Value | null;
    readonly type: 'STRING' | 'NUMBER' | 'BOOLEAN' | 'JSON';
    readonly enabled: boolean;
    readonly reason: 'OVERRIDE' | 'DISABLED' | 'CONTEXT' | 'TARGETING_MATCH' | 'SPLIT' | 'DEFAULT' | 'STATIC';
    /** The rule that decided, if one did. */
    readonly ruleId?: string | null;
    /** The variant that was chosen, if the rule splits over variants. */
    readonly variant?: string | null;
    readonly version: number;
  }

  export interface Features {
    readonly [key: string]: Feature;
  }

  /** What happened, told to a listener beside the features. */
  export interface Change {
    /**
     * `snapshot`: all features, on connection. `update`: some are new or different. `delete`: some are gone.
     * `status`: the environment itself went into or out of service; the features stay as they were.
     */
    readonly type: 'snapshot' | 'update' | 'delete' | 'status';
    /** The features concerned. */
    readonly keys: readonly string[];
    /** The new status of the environment, for `status` only. */
    readonly status?: 'active' | 'maintenance' | 'archived';
  }

  export type Listener = (features: Features, change: Change) => void;
}
