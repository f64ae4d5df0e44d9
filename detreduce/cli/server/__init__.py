"""The server for agents: four commands as tools of the Model Context Protocol, on files below one folder."""
