select 1; -- to be written
