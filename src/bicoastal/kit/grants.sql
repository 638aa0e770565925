-- What the application may do with the tables of its migrations. Run as `owner`, before and after the release command.
--
-- Reading hangs on bicoastal_reader, writing on bicoastal_writer alone: the fence takes that one role away. So no right to
-- write may reach the application by another way: by PUBLIC (functions), by a column, or by a grant in a migration.

ALTER DEFAULT PRIVILEGES FOR ROLE owner GRANT USAGE ON SCHEMAS TO bicoastal_reader;
ALTER DEFAULT PRIVILEGES FOR ROLE owner GRANT SELECT ON TABLES TO bicoastal_reader;
ALTER DEFAULT PRIVILEGES FOR ROLE owner GRANT INSERT, UPDATE, DELETE ON TABLES TO bicoastal_writer;
ALTER DEFAULT PRIVILEGES FOR ROLE owner GRANT SELECT ON SEQUENCES TO bicoastal_reader;
ALTER DEFAULT PRIVILEGES FOR ROLE owner GRANT USAGE ON SEQUENCES TO bicoastal_writer;
-- A SECURITY DEFINER function writes as its owner: through the fence, if the caller opens its transaction READ WRITE.
ALTER DEFAULT PRIVILEGES FOR ROLE owner REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
ALTER DEFAULT PRIVILEGES FOR ROLE owner GRANT EXECUTE ON FUNCTIONS TO bicoastal_writer;

DO $$
DECLARE
    item record;
BEGIN
    FOR item IN SELECT nspname FROM pg_namespace
        WHERE nspname !~ '^pg_' AND nspname NOT IN ('information_schema', 'bicoastal')
            AND pg_has_role(current_user, nspowner, 'USAGE')
    LOOP
        EXECUTE format('REVOKE CREATE ON SCHEMA %I FROM PUBLIC, app, bicoastal_reader, bicoastal_writer', item.nspname);
        EXECUTE format('GRANT USAGE ON SCHEMA %I TO bicoastal_reader', item.nspname);
    END LOOP;

    FOR item IN SELECT c.oid::regclass AS name, c.relkind FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relowner = current_user::regrole AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
            AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
    LOOP
        IF item.relkind = 'S' THEN
            EXECUTE format('REVOKE USAGE, UPDATE ON SEQUENCE %s FROM PUBLIC, app, bicoastal_reader', item.name);
            EXECUTE format('GRANT SELECT ON SEQUENCE %s TO bicoastal_reader', item.name);
            EXECUTE format('GRANT USAGE ON SEQUENCE %s TO bicoastal_writer', item.name);
        ELSE
            EXECUTE format('REVOKE INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER ON %s FROM PUBLIC, app, bicoastal_reader',
                item.name);
            EXECUTE format('GRANT SELECT ON %s TO bicoastal_reader', item.name);
            EXECUTE format('GRANT INSERT, UPDATE, DELETE ON %s TO bicoastal_writer', item.name);
        END IF;
    END LOOP;

    FOR item IN SELECT p.oid::regprocedure AS name, p.prosecdef FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
        WHERE p.proowner = current_user::regrole AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
    LOOP
        EXECUTE format('REVOKE EXECUTE ON ROUTINE %s FROM PUBLIC, app, bicoastal_reader', item.name);
        EXECUTE format('GRANT EXECUTE ON ROUTINE %s TO %s', item.name,
            CASE WHEN item.prosecdef THEN 'bicoastal_writer' ELSE 'bicoastal_reader, bicoastal_writer' END);
    END LOOP;
END
$$;
