"""What a PostgreSQL server is asked: each row is a JSON array of the key and the value of an entry."""

from __future__ import annotations

# After the settings have been read, which these would change.
CAREFUL = """
SET default_transaction_read_only = on;
SET statement_timeout = '15s';
SET lock_timeout = '2s';
SET search_path = pg_catalog;
"""

# What every entry is: a JSON array of its key and its value.
CLUSTER = """
SELECT json_build_array('setting ' || name, json_build_object(
    'value', current_setting(name), 'origin', source, 'file', sourcefile, 'waits_for_restart', pending_restart))
  FROM pg_settings
 WHERE source IN ('configuration file', 'command line', 'environment variable', 'global') OR pending_restart;
@CAREFUL@
SELECT json_build_array('@', json_build_object(
    'cluster', current_setting('cluster_name'), 'port', current_setting('port'),
    'folder', current_setting('data_directory'),
    'databases', (SELECT json_agg(datname ORDER BY datname) FROM pg_database WHERE datallowconn),
    'tablespaces', (SELECT json_agg(pg_tablespace_location(oid)) FROM pg_tablespace)));
SELECT json_build_array('server', json_build_object(
    'runs', true, 'version', current_setting('server_version'), 'checksums', current_setting('data_checksums')));
SELECT json_build_array('role ' || quote_ident(rolname), json_build_object(
    'attributes', array_remove(ARRAY[
        CASE WHEN rolsuper THEN 'superuser' END, CASE WHEN rolcanlogin THEN 'login' END,
        CASE WHEN rolcreatedb THEN 'createdb' END, CASE WHEN rolcreaterole THEN 'createrole' END,
        CASE WHEN rolreplication THEN 'replication' END, CASE WHEN rolbypassrls THEN 'bypassrls' END,
        CASE WHEN rolinherit THEN 'inherit' END], NULL),
    'member_of', (SELECT json_agg(
            quote_ident(g.rolname) || CASE WHEN m.admin_option THEN ' with admin option' ELSE '' END
            ORDER BY g.rolname, m.admin_option)
                    FROM pg_auth_members m JOIN pg_authid g ON g.oid = m.roleid WHERE m.member = r.oid),
    'connection_limit', rolconnlimit,
    'expires', to_char(rolvaliduntil AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS'),
    'comment', shobj_description(r.oid, 'pg_authid'),
    'secret', coalesce(rolpassword, '')))
  FROM pg_authid r WHERE rolname !~ '^pg_';
SELECT json_build_array('database ' || quote_ident(datname), json_build_object(
    'owner', pg_get_userbyid(datdba), 'encoding', pg_encoding_to_char(encoding),
    'collation', datcollate, 'character_type', datctype, 'locale_provider', to_json(d) ->> 'datlocprovider',
    'template', datistemplate, 'accepts_connections', datallowconn, 'connection_limit', datconnlimit,
    'tablespace', (SELECT spcname FROM pg_tablespace t WHERE t.oid = d.dattablespace),
    'comment', shobj_description(d.oid, 'pg_database'),
    'grants', (SELECT json_agg(a::text) FROM unnest(coalesce(datacl, acldefault('d', datdba))) a)))
  FROM pg_database d;
SELECT json_build_array('tablespace ' || quote_ident(spcname), json_build_object(
    'owner', pg_get_userbyid(spcowner), 'location', pg_tablespace_location(oid), 'options', spcoptions,
    'grants', (SELECT json_agg(a::text) FROM unnest(coalesce(spcacl, acldefault('t', spcowner))) a)))
  FROM pg_tablespace;
SELECT json_build_array(
    'setting ' || split_part(c, '=', 1)
        || CASE WHEN setrole <> 0 THEN ' of role ' || quote_ident(pg_get_userbyid(setrole)) ELSE '' END
        || CASE WHEN setdatabase <> 0
                THEN ' in database ' || (SELECT quote_ident(datname) FROM pg_database d WHERE d.oid = setdatabase)
                ELSE '' END,
    json_build_object('value', substr(c, strpos(c, '=') + 1)))
  FROM pg_db_role_setting, unnest(setconfig) c;
SELECT json_build_array('replication slot ' || quote_ident(slot_name), json_build_object(
    'kind', slot_type, 'plugin', plugin, 'database', database))
  FROM pg_replication_slots WHERE NOT temporary;
""".replace("@CAREFUL@", CAREFUL)

# Extensions bring objects of their own; their version stands for those.
OWN = "NOT EXISTS (SELECT 1 FROM pg_depend x WHERE x.objid = %s AND x.classid = '%s'::regclass AND x.deptype = 'e')"

# Catalogs that no entry tells about, by the number of their rows.
COUNTED = [
    "pg_am",
    "pg_cast",
    "pg_collation",
    "pg_conversion",
    "pg_event_trigger",
    "pg_foreign_data_wrapper",
    "pg_foreign_server",
    "pg_language",
    "pg_largeobject_metadata",
    "pg_opclass",
    "pg_operator",
    "pg_opfamily",
    "pg_publication",
    "pg_publication_rel",
    "pg_range",
    "pg_statistic_ext",
    "pg_subscription",
    "pg_transform",
    "pg_ts_config",
    "pg_ts_dict",
    "pg_ts_parser",
    "pg_ts_template",
    "pg_user_mapping",
]

DATABASE = """
@CAREFUL@
SELECT json_build_array('@', quote_ident(current_database()));
SELECT json_build_array('schema ' || quote_ident(nspname), json_build_object(
    'owner', pg_get_userbyid(nspowner), 'comment', obj_description(n.oid, 'pg_namespace'),
    'grants', (SELECT json_agg(a::text) FROM unnest(coalesce(nspacl, acldefault('n', nspowner))) a)))
  FROM pg_namespace n WHERE @NOT_SYSTEM@ AND @OWN_NAMESPACE@;
SELECT json_build_array('extension ' || quote_ident(extname), json_build_object(
    'version', extversion, 'schema', quote_ident(n.nspname), 'owner', pg_get_userbyid(extowner)))
  FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace;
SELECT json_build_array(
    CASE c.relkind WHEN 'v' THEN 'view ' WHEN 'm' THEN 'materialized view ' WHEN 'f' THEN 'foreign table '
                   WHEN 'c' THEN 'type ' ELSE 'table ' END || format('%I.%I', n.nspname, c.relname),
    json_build_object(
    'owner', pg_get_userbyid(c.relowner), 'comment', obj_description(c.oid, 'pg_class'),
    'persistence', CASE c.relpersistence WHEN 'u' THEN 'unlogged' END,
    'options', c.reloptions, 'tablespace', (SELECT spcname FROM pg_tablespace t WHERE t.oid = c.reltablespace),
    'row_security', CASE WHEN c.relforcerowsecurity THEN 'forced' WHEN c.relrowsecurity THEN 'on' END,
    'replica_identity', nullif(c.relreplident::text, CASE WHEN c.relkind IN ('r', 'p', 'm') THEN 'd' ELSE 'n' END),
    'partitioned_by', CASE WHEN c.relkind = 'p' THEN pg_get_partkeydef(c.oid) END,
    'part', pg_get_expr(c.relpartbound, c.oid),
    'inherits', (SELECT json_agg(i.inhparent::regclass::text) FROM pg_inherits i WHERE i.inhrelid = c.oid),
    'definition', CASE WHEN c.relkind IN ('v', 'm') THEN md5(pg_get_viewdef(c.oid)) END,
    'columns', (SELECT json_object_agg(a.attname, concat_ws(' ',
            format_type(a.atttypid, a.atttypmod),
            CASE WHEN a.attnotnull THEN 'not null' END,
            CASE WHEN a.attidentity::text <> '' THEN 'identity ' || a.attidentity::text END,
            CASE WHEN to_json(a) ->> 'attgenerated' <> '' THEN 'generated' END,
            CASE WHEN a.attcollation <> t.typcollation THEN
                'collate ' || (SELECT quote_ident(collname) FROM pg_collation l WHERE l.oid = a.attcollation) END,
            'default ' || pg_get_expr(d.adbin, d.adrelid)))
        FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
        LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
        WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped),
    'column_order', (SELECT json_agg(a.attname ORDER BY a.attnum) FROM pg_attribute a
        WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped),
    'column_grants', (SELECT json_object_agg(a.attname, array_to_string(ARRAY(
            SELECT i::text FROM unnest(a.attacl) i ORDER BY i::text), ', '))
        FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attacl IS NOT NULL AND NOT a.attisdropped),
    'constraints', (SELECT json_object_agg(o.conname, pg_get_constraintdef(o.oid)) FROM pg_constraint o
        WHERE o.conrelid = c.oid AND o.contype NOT IN ('t', 'n')),
    'triggers', (SELECT json_object_agg(g.tgname, pg_get_triggerdef(g.oid)
            || CASE g.tgenabled WHEN 'O' THEN '' WHEN 'D' THEN ' disabled' ELSE ' enabled ' || g.tgenabled::text END)
        FROM pg_trigger g WHERE g.tgrelid = c.oid AND NOT g.tgisinternal),
    'policies', (SELECT json_object_agg(p.polname, concat_ws(' ',
            p.polcmd::text, CASE WHEN NOT p.polpermissive THEN 'restrictive' END,
            'to ' || array_to_string(ARRAY(SELECT pg_get_userbyid(m) FROM unnest(p.polroles) m ORDER BY 1), ', '),
            'using ' || pg_get_expr(p.polqual, p.polrelid), 'check ' || pg_get_expr(p.polwithcheck, p.polrelid)))
        FROM pg_policy p WHERE p.polrelid = c.oid),
    'rules', (SELECT json_object_agg(r.rulename, pg_get_ruledef(r.oid)) FROM pg_rewrite r
        WHERE r.ev_class = c.oid AND r.rulename <> '_RETURN'),
    'grants', (SELECT json_agg(a::text) FROM unnest(coalesce(c.relacl, acldefault('r', c.relowner))) a)))
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'c') AND c.relpersistence <> 't' AND @NOT_SYSTEM@ AND @OWN_CLASS@;
SELECT json_build_array('index ' || format('%I.%I', n.nspname, c.relname), json_build_object(
    'table', i.indrelid::regclass::text, 'definition', pg_get_indexdef(c.oid),
    'valid', i.indisvalid, 'clustered', i.indisclustered,
    'tablespace', (SELECT spcname FROM pg_tablespace t WHERE t.oid = c.reltablespace)))
  FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relpersistence <> 't' AND @NOT_SYSTEM@
   AND @OWN_TABLE@;
SELECT json_build_array('sequence ' || format('%I.%I', n.nspname, c.relname), json_build_object(
    'owner', pg_get_userbyid(c.relowner), 'column_type', format_type(s.seqtypid, NULL),
    'steps', concat_ws(' ', 'start', s.seqstart, 'increment', s.seqincrement, 'minimum', s.seqmin, 'maximum', s.seqmax,
                       'cache', s.seqcache, CASE WHEN s.seqcycle THEN 'cycle' END),
    'grants', (SELECT json_agg(a::text) FROM unnest(coalesce(c.relacl, acldefault('s', c.relowner))) a)))
  FROM pg_sequence s JOIN pg_class c ON c.oid = s.seqrelid JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relpersistence <> 't' AND @NOT_SYSTEM@ AND @OWN_CLASS@;
SELECT json_build_array('type ' || format('%I.%I', n.nspname, t.typname), json_build_object(
    'owner', pg_get_userbyid(t.typowner),
    'labels', (SELECT json_agg(e.enumlabel ORDER BY e.enumsortorder) FROM pg_enum e WHERE e.enumtypid = t.oid),
    'definition', CASE WHEN t.typtype = 'd' THEN concat_ws(' ', format_type(t.typbasetype, t.typtypmod),
        CASE WHEN t.typnotnull THEN 'not null' END, 'default ' || t.typdefault) END,
    'constraints', (SELECT json_object_agg(o.conname, pg_get_constraintdef(o.oid)) FROM pg_constraint o
        WHERE o.contypid = t.oid),
    'grants', (SELECT json_agg(a::text) FROM unnest(coalesce(t.typacl, acldefault('T', t.typowner))) a)))
  FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
 WHERE t.typtype IN ('e', 'd', 'r') AND @NOT_SYSTEM@ AND @OWN_TYPE@;
SELECT json_build_array('function ' || format('%I.%I', n.nspname, p.proname)
        || '(' || pg_get_function_identity_arguments(p.oid) || ')', json_build_object(
    'owner', pg_get_userbyid(p.proowner), 'language', (SELECT lanname FROM pg_language l WHERE l.oid = p.prolang),
    'definition', md5(CASE WHEN EXISTS (SELECT 1 FROM pg_aggregate a WHERE a.aggfnoid = p.oid)
        THEN (SELECT concat_ws(' ', a.aggtransfn, a.aggfinalfn, format_type(a.aggtranstype, NULL), a.agginitval)
                FROM pg_aggregate a WHERE a.aggfnoid = p.oid)
        ELSE pg_get_functiondef(p.oid) END),
    'grants', (SELECT json_agg(a::text) FROM unnest(coalesce(p.proacl, acldefault('f', p.proowner))) a)))
  FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
 WHERE @NOT_SYSTEM@ AND @OWN_PROC@;
SELECT json_build_array('default privileges of ' || quote_ident(pg_get_userbyid(a.defaclrole))
        || CASE WHEN a.defaclnamespace <> 0 THEN ' in schema ' || quote_ident(n.nspname) ELSE '' END
        || CASE a.defaclobjtype WHEN 'r' THEN ' on tables' WHEN 'S' THEN ' on sequences' WHEN 'f' THEN ' on functions'
                                WHEN 'T' THEN ' on types' WHEN 'n' THEN ' on schemas'
                                ELSE ' on ' || a.defaclobjtype::text END,
    json_build_object('grants', (SELECT json_agg(i::text) FROM unnest(a.defaclacl) i)))
  FROM pg_default_acl a LEFT JOIN pg_namespace n ON n.oid = a.defaclnamespace;
SELECT json_build_array('other objects', json_build_object('counts', json_build_object(@COUNTS@)));
"""
for _name, _filled in {
    "@CAREFUL@": CAREFUL,
    "@NOT_SYSTEM@": "n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'",
    "@OWN_NAMESPACE@": OWN % ("n.oid", "pg_namespace"),
    "@OWN_TABLE@": OWN % ("i.indrelid", "pg_class"),
    "@OWN_CLASS@": OWN % ("c.oid", "pg_class"),
    "@OWN_TYPE@": OWN % ("t.oid", "pg_type"),
    "@OWN_PROC@": OWN % ("p.oid", "pg_proc"),
    "@COUNTS@": ", ".join(f"'{_table}', (SELECT count(*) FROM {_table})" for _table in COUNTED),  # noqa: S608
}.items():
    DATABASE = DATABASE.replace(_name, _filled)
