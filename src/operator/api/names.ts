/** Group and version of the aggregated API: what is no object of the API server's store. */
export const API_GROUP = 'logs.slipway.build';
export const API_VERSION = 'v1alpha1';

/** Name of its APIService. */
export const API_SERVICE = `${API_VERSION}.${API_GROUP}`;

/** Of a connection over which a client's directories are served to a builder: the tunnel of a session. */
export const UPLOAD_PROTOCOL = 'slipway-upload';
