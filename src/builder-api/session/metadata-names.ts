/** Metadata of Control.Session. */
export const SESSION_ID = 'x-docker-expose-session-uuid';
export const SESSION_SHARED_KEY = 'x-docker-expose-session-sharedkey';
export const SESSION_METHOD = 'x-docker-expose-session-grpc-method';
export const SESSION_HEALTH_TIMEOUT = 'x-buildkit-session-health-custom-timeout';
