package main

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// storeTimeout bounds one question to a data store. It stays under the readiness probe's own limit of 3 s, so that a
// store that hangs is reported by name and not as a probe that timed out.
const storeTimeout = 2 * time.Second

// Store is a data store that the service owns connections to.
type Store interface {
	Name() string
	// Ping asks whether the store answers.
	Ping(ctx context.Context) error
	// Work does the store's part of one business request.
	Work(ctx context.Context) error
	Close()
}

// openStores makes the clients; none of them needs its server to be there yet.
func openStores(c Config) ([]Store, error) {
	var all []Store
	if c.Postgres != "" {
		store, err := openPostgres(c.Name)
		if err != nil {
			return nil, err
		}
		all = append(all, store)
	}
	if c.Redis != "" {
		all = append(all, openRedis(c))
	}
	if c.MongoDB != "" {
		store, err := openMongoDB(c)
		if err != nil {
			return nil, err
		}
		all = append(all, store)
	}
	return all, nil
}

type postgres struct{ pool *pgxpool.Pool }

func openPostgres(application string) (Store, error) {
	config, err := pgxpool.ParseConfig("")
	if err != nil {
		return nil, fmt.Errorf("postgresql: %w", err)
	}
	config.MinConns, config.MaxConns = 1, 2
	config.HealthCheckPeriod = time.Minute
	config.ConnConfig.ConnectTimeout = storeTimeout
	config.ConnConfig.RuntimeParams["application_name"] = application
	pool, err := pgxpool.NewWithConfig(context.Background(), config)
	if err != nil {
		return nil, fmt.Errorf("postgresql: %w", err)
	}
	return postgres{pool}, nil
}

func (p postgres) Name() string                   { return "postgresql" }
func (p postgres) Ping(ctx context.Context) error { return p.pool.Ping(ctx) }
func (p postgres) Close()                         { p.pool.Close() }

func (p postgres) Work(ctx context.Context) error {
	// A read that is there in every database: the lab's schema is not the service's business.
	var relations int64
	return p.pool.QueryRow(ctx, "SELECT count(*) FROM pg_catalog.pg_class WHERE relkind = 'r'").Scan(&relations)
}

type redisStore struct {
	client *redis.Client
	key    string
}

func openRedis(c Config) Store {
	return redisStore{
		key: "requests:" + c.Name,
		client: redis.NewClient(&redis.Options{
			Addr: c.Redis, Password: c.RedisKey, ClientName: c.Name, PoolSize: 2, MinIdleConns: 1, MaxRetries: 1,
			DialTimeout: storeTimeout, ReadTimeout: storeTimeout, WriteTimeout: storeTimeout, ContextTimeoutEnabled: true,
			MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
		}),
	}
}

func (r redisStore) Name() string                   { return "redis" }
func (r redisStore) Ping(ctx context.Context) error { return r.client.Ping(ctx).Err() }
func (r redisStore) Close()                         { _ = r.client.Close() }

func (r redisStore) Work(ctx context.Context) error { return r.client.Incr(ctx, r.key).Err() }

type mongoStore struct {
	client *mongo.Client
	name   string
}

func openMongoDB(c Config) (Store, error) {
	client, err := mongo.Connect(options.Client().ApplyURI(c.MongoDB).SetAppName(c.Name).SetMaxPoolSize(2).
		SetConnectTimeout(storeTimeout).SetServerSelectionTimeout(storeTimeout).SetHeartbeatInterval(30 * time.Second))
	if err != nil {
		return nil, fmt.Errorf("mongodb: %w", err)
	}
	return mongoStore{client, c.Name}, nil
}

func (m mongoStore) Name() string { return "mongodb" }

func (m mongoStore) Ping(ctx context.Context) error {
	return m.client.Database("nexus").RunCommand(ctx, bson.D{{Key: "ping", Value: 1}}).Err()
}

func (m mongoStore) Work(ctx context.Context) error {
	filter := bson.D{{Key: "service", Value: m.name}}
	err := m.client.Database("nexus").Collection("lookups").FindOne(ctx, filter).Err()
	if err == mongo.ErrNoDocuments {
		return nil
	}
	return err
}

func (m mongoStore) Close() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = m.client.Disconnect(ctx)
}
