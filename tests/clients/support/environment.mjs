// What a suite is handed: the running server and its credentials. `run.sh` sets them.

const required = (name) => {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set: start the suites with tests/clients/run.sh`);
  return value;
};

/** The server's address, such as `http://127.0.0.1:40123`. */
export const serverUrl = required('FEATURED_URL');
/** The file of its database, for what it does not tell over HTTP. */
export const databaseFile = required('FEATURED_DB_FILE');
/** The server's binary. */
export const binary = required('FEATURED_BIN');
/** Environment tokens of shop/prod. */
export const clientToken = required('FEATURED_CLIENT_TOKEN');
export const serverToken = required('FEATURED_SERVER_TOKEN');
/** Environment tokens of your-site-id/prod, the site that the manual's examples name. */
export const manualClientToken = required('FEATURED_MANUAL_CLIENT_TOKEN');
export const manualServerToken = required('FEATURED_MANUAL_SERVER_TOKEN');
/** A token that may manage the flags of flagr/prod, and the base path of Flagr's API with it inside. */
export const flagrToken = required('FEATURED_FLAGR_TOKEN');
export const flagrUrl = required('FEATURED_FLAGR_URL');
/** A client token of flagr/prod. */
export const flagrClientToken = required('FEATURED_FLAGR_CLIENT_TOKEN');
/** A personal access token of an admin. */
export const personalToken = required('FEATURED_PAT');
