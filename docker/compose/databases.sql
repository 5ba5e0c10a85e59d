-- A role and a database of its own for each service; run once, when the cluster is made.
\set users_password `cat /run/secrets/users-password`
\set auth_password `cat /run/secrets/auth-password`

-- A statement that fails would be in the log, with its password.
SET log_min_error_statement = panic;
SET log_statement = none;
REVOKE ALL ON DATABASE postgres, template1 FROM PUBLIC;

CREATE ROLE users LOGIN PASSWORD :'users_password';
CREATE DATABASE users OWNER users TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C.UTF-8';
REVOKE ALL ON DATABASE users FROM PUBLIC;

CREATE ROLE auth LOGIN PASSWORD :'auth_password';
CREATE DATABASE auth OWNER auth TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C.UTF-8';
REVOKE ALL ON DATABASE auth FROM PUBLIC;
