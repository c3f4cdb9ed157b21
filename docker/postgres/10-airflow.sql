-- Runs once, when the data volume is empty: Airflow keeps its own records in a database beside ours.
create database airflow;
